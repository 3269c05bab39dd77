# What `make install` puts where: header, libraries, pkg-config file, CMake package, command, man page.
include(CMakePackageConfigHelpers)

# Nothing but aq_ symbols: not even those of a static library that might be linked in.
if(NOT APPLE)
  target_link_options(arrowquant PRIVATE LINKER:--exclude-libs,ALL)
  if(NOT AQ_SANITIZE)
    target_link_options(arrowquant PRIVATE LINKER:--no-undefined)
  endif()
endif()

set_target_properties(arrowquant_static PROPERTIES EXPORT_NAME static)
string(REPLACE ";" " " AQ_PC_REQUIRES "${AQ_PKG_MODULES}")
set(AQ_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/arrowquant)

install(FILES include/arrowquant.h include/arrowquant_experimental.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS arrowquant EXPORT arrowquantTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS arrowquant_static EXPORT arrowquantStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(set arrowquantTargets arrowquantStaticTargets)
  install(EXPORT ${set} NAMESPACE arrowquant:: DESTINATION ${AQ_PACKAGE_DIR})
endforeach()
if(TARGET arrowquant_cli)
  install(TARGETS arrowquant_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES docs/arrowquant.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

configure_package_config_file(cmake/arrowquantConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/arrowquantConfig.cmake
                              INSTALL_DESTINATION ${AQ_PACKAGE_DIR})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/arrowquantConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/arrowquantConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/arrowquantConfigVersion.cmake DESTINATION ${AQ_PACKAGE_DIR})

# The pkg-config file finds its prefix from where it lies, so that an installed tree can be moved.
set(AQ_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(AQ_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(AQ_PC_LIBDIR ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH up /prefix/${AQ_PC_DIR} /prefix)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(AQ_PC_PREFIX "\${pcfiledir}/${up}")
  set(AQ_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
set(AQ_PC_LIBS "-lsnappy -pthread -lm")
if(AQ_SNAPPY_LIBRARY MATCHES "\\.a$")
  string(APPEND AQ_PC_LIBS " -lstdc++") # snappy is C++ inside
endif()
configure_file(cmake/arrowquant.pc.in ${CMAKE_CURRENT_BINARY_DIR}/arrowquant.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/arrowquant.pc DESTINATION ${AQ_PC_DIR})
