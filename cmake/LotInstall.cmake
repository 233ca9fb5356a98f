# The CMake package: `cmake --install build --component LotDevelopment --prefix P`
# (make install), then find_package(Lot) with P in CMAKE_PREFIX_PATH. The Python
# package has a component of its own.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(LOT_INSTALL_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(LOT_INSTALL_BINDIR "${CMAKE_INSTALL_BINDIR}")
set(LOT_INSTALL_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
set(LOT_INSTALL_CMAKEDIR "${CMAKE_INSTALL_LIBDIR}/cmake/lot")

get_property(libraries GLOBAL PROPERTY LOT_LIBRARIES)
install(TARGETS ${libraries} EXPORT LotTargets COMPONENT LotDevelopment
  ARCHIVE DESTINATION "${LOT_INSTALL_LIBDIR}")
install(TARGETS lot-opt lot-run lot-lsp-server lot-reduce COMPONENT LotDevelopment
  RUNTIME DESTINATION "${LOT_INSTALL_BINDIR}")
install(TARGETS LotPlugin COMPONENT LotDevelopment
  LIBRARY DESTINATION "${LOT_INSTALL_LIBDIR}")
set_target_properties(lot-opt lot-run lot-lsp-server lot-reduce LotPlugin PROPERTIES
  INSTALL_RPATH "${LLVM_LIBRARY_DIR}")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" "${PROJECT_BINARY_DIR}/include/"
  COMPONENT LotDevelopment DESTINATION "${LOT_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc"
  PATTERN "CMakeFiles" EXCLUDE)

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/LotConfig.cmake.in" "${PROJECT_BINARY_DIR}/LotConfig.cmake"
  INSTALL_DESTINATION "${LOT_INSTALL_CMAKEDIR}"
  PATH_VARS LOT_INSTALL_INCLUDEDIR LOT_INSTALL_BINDIR LOT_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/LotConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/LotConfig.cmake"
  "${PROJECT_BINARY_DIR}/LotConfigVersion.cmake"
  COMPONENT LotDevelopment DESTINATION "${LOT_INSTALL_CMAKEDIR}")
install(EXPORT LotTargets COMPONENT LotDevelopment DESTINATION "${LOT_INSTALL_CMAKEDIR}")
