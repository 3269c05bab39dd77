# Libraries of the distribution that the library stands on; docs/ARCHITECTURE.md says why each is here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
set(AQ_PKG_MODULES libzstd liblz4 zlib libbrotlidec libxxhash jansson libutf8proc)
pkg_check_modules(AQ_PKG REQUIRED IMPORTED_TARGET ${AQ_PKG_MODULES})
find_library(AQ_SNAPPY_LIBRARY snappy REQUIRED)
find_path(AQ_SNAPPY_INCLUDE snappy-c.h REQUIRED)

add_library(aq_dependencies INTERFACE)
target_link_libraries(aq_dependencies INTERFACE PkgConfig::AQ_PKG ${AQ_SNAPPY_LIBRARY} Threads::Threads m)
target_include_directories(aq_dependencies INTERFACE ${AQ_SNAPPY_INCLUDE})
