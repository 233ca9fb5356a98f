# lot_add_python_capi_library(NAME DECLARED_SOURCES groups... EMBED_LIBS libs...
#                             OUTPUT_DIRECTORY dir INSTALL_COMPONENT c INSTALL_DESTINATION d)
#
# The one shared library that all extension modules of the package link.  Same
# contract as add_mlir_python_common_capi_library(), which needs an MLIR that was
# installed with MLIR_INSTALL_AGGREGATE_OBJECTS; this one is made of the C API
# archives, against libMLIR.so and libLLVM.so.
function(lot_add_python_capi_library name)
  cmake_parse_arguments(ARG "" "INSTALL_COMPONENT;INSTALL_DESTINATION;OUTPUT_DIRECTORY"
    "DECLARED_SOURCES;EMBED_LIBS" ${ARGN})
  set(embedded ${ARG_EMBED_LIBS})
  _flatten_mlir_python_targets(groups ${ARG_DECLARED_SOURCES})
  foreach(group ${groups})
    get_target_property(libs ${group} mlir_python_EMBED_CAPI_LINK_LIBS)
    if(libs)
      list(APPEND embedded ${libs})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES embedded)

  set(archives)
  set(own_libs)
  foreach(lib ${embedded})
    list(APPEND archives "$<TARGET_FILE:${lib}>")
    get_target_property(imported ${lib} IMPORTED)
    if(NOT imported)
      list(APPEND own_libs ${lib})
    endif()
  endforeach()

  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.c")
  file(GENERATE OUTPUT "${source}" CONTENT "/* The code is in the archives. */\ntypedef int lot_no_code;\n")
  add_library(${name} SHARED "${source}")
  if(own_libs)
    add_dependencies(${name} ${own_libs})
  endif()
  target_link_libraries(${name} PRIVATE
    "-Wl,--whole-archive" ${archives} "-Wl,--no-whole-archive" ${own_libs} MLIR LLVM)
  target_link_options(${name} PRIVATE LINKER:-z,defs LINKER:--gc-sections)
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE CXX
    LINK_DEPENDS "${archives}"
    LIBRARY_OUTPUT_DIRECTORY "${ARG_OUTPUT_DIRECTORY}")
  mlir_python_setup_extension_rpath(${name})
  install(TARGETS ${name} COMPONENT ${ARG_INSTALL_COMPONENT}
    LIBRARY DESTINATION "${ARG_INSTALL_DESTINATION}")
endfunction()

# lot_python_add_llvm_rpath(): lets every shared object made in this directory
# find libMLIR.so and libLLVM.so, which lie outside the loader's path.  Each
# needs it: a RUNPATH is not used for the libraries of a library.
function(lot_python_add_llvm_rpath install_rpath)
  get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "^(SHARED|MODULE)_LIBRARY$")
      set_property(TARGET ${target} APPEND PROPERTY BUILD_RPATH "${LLVM_LIBRARY_DIR}")
      set_property(TARGET ${target} APPEND PROPERTY INSTALL_RPATH "${install_rpath}")
    endif()
  endforeach()
endfunction()
