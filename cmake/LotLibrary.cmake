# lot_add_library(NAME sources... [DEPENDS targets...] [LINK_LIBS libs...])
#
# A static, position independent library of this project.  MLIR itself comes
# from libMLIR.so, so no MLIR archive is ever named here.
function(lot_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_mlir_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS}
    DEPENDS LotIncGen ${ARG_DEPENDS}
    DISABLE_INSTALL
    PARTIAL_SOURCES_INTENDED)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS} MLIR LLVM)
  # What a project needs that links it, here or installed (LotInstall.cmake).
  target_compile_features(${name} INTERFACE cxx_std_17)
  target_include_directories(${name} INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include;${PROJECT_BINARY_DIR}/include>"
    "$<INSTALL_INTERFACE:include>")
  target_include_directories(${name} SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  set_property(GLOBAL APPEND PROPERTY LOT_LIBRARIES ${name})
  lot_use_pch(${name})
  if(TARGET obj.${name})
    lot_use_pch(obj.${name})
    set_target_properties(obj.${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endfunction()

# All targets share one precompiled header: MLIR's headers dominate the build.
function(lot_use_pch name)
  if(NOT LOT_ENABLE_PCH)
    return()
  endif()
  if(NOT TARGET LotPCH)
    file(WRITE "${PROJECT_BINARY_DIR}/lot_pch.cpp" "// Only carries the precompiled header.\n")
    add_library(LotPCH OBJECT "${PROJECT_BINARY_DIR}/lot_pch.cpp")
    llvm_update_compile_flags(LotPCH)
    set_target_properties(LotPCH PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_precompile_headers(LotPCH PRIVATE "${PROJECT_SOURCE_DIR}/cmake/lot_pch.h")
  endif()
  target_precompile_headers(${name} REUSE_FROM LotPCH)
endfunction()
