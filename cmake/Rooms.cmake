# The library is one set of objects for each room of src/ (src/ROOMS lists them, lowest first). The shared library, the
# static one and the programs that see internal symbols (tests, benchmarks) are linked from them; the tests of a room
# need that room and those that it includes, and so do not wait for the rest.
file(STRINGS src/ROOMS room_lines REGEX "^[a-z]+:")
set(AQ_ROOMS "")
set(AQ_ROOM_OBJECTS "")
foreach(line ${room_lines})
  string(REGEX MATCH "^[a-z]+" room "${line}")
  if(room STREQUAL "options" OR room STREQUAL "cli" OR room STREQUAL "python") # of programs, not of the library
    continue()
  endif()
  string(REGEX REPLACE "^[a-z]+: *" "" lower "${line}")
  string(REPLACE " " ";" lower "${lower}")
  set(AQ_ROOM_${room} ${room}) # what its tests are linked with: itself and all below that it reaches
  foreach(other ${lower})
    list(APPEND AQ_ROOM_${room} ${AQ_ROOM_${other}})
  endforeach()
  list(REMOVE_DUPLICATES AQ_ROOM_${room})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/${room}/*.c)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    list(FILTER sources EXCLUDE REGEX "/kernels/x86/")
  endif()
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(FILTER sources EXCLUDE REGEX "/kernels/arm/")
  endif()
  add_library(aq_${room} OBJECT ${sources})
  set_target_properties(aq_${room} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_include_directories(aq_${room} PUBLIC include src)
  target_link_libraries(aq_${room} PUBLIC aq_flags aq_dependencies)
  list(APPEND AQ_ROOMS ${room})
  list(APPEND AQ_ROOM_OBJECTS $<TARGET_OBJECTS:aq_${room}>)
endforeach()

# Everything, by one name.
add_custom_target(aq_objects)
foreach(room ${AQ_ROOMS})
  add_dependencies(aq_objects aq_${room})
endforeach()

# Links a program with the objects of rooms; no rooms: with all.
function(aq_link_rooms target)
  set(rooms ${ARGN})
  if(NOT rooms)
    set(rooms ${AQ_ROOMS})
  endif()
  list(TRANSFORM rooms PREPEND aq_)
  target_link_libraries(${target} PRIVATE ${rooms})
endfunction()
