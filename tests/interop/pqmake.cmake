# The program that tests/interop/test_written_tables.py has write files; AQ_PQMAKE tells the test where it is.
add_executable(pqmake ${CMAKE_CURRENT_LIST_DIR}/pqmake.c)
target_link_libraries(pqmake PRIVATE aq_objects)
