# `make install`: libraries, headers, pkg-config files, CMake package, command. Nothing that is
# installed names the prefix, so that the tree can be moved (and PREFIX be chosen when installing).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/deeper)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS deeper-shared deeper-static deeper-tools-shared deeper-tools-static
    EXPORT deeper-targets)
install(TARGETS deeper)
install(DIRECTORY include/deeper TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(EXPORT deeper-targets NAMESPACE deeper:: DESTINATION ${package_dir})

# What the archive of libdeeper-tools needs: for static linking only.
set(static_modules)
set(static_libraries)
set(find_modules)
foreach(name ${deeper_optional_names})
    if("PkgConfig::${name}" IN_LIST tools_libraries)
        if(name STREQUAL MICROHTTPD) # its module asks for archives below GnuTLS that its package does not bring
            list(APPEND static_libraries ${MICROHTTPD_LDFLAGS})
        else()
            list(APPEND static_modules ${deeper_${name}_module})
        endif()
        string(APPEND find_modules
            "pkg_check_modules(${name} QUIET IMPORTED_TARGET ${deeper_${name}_module})\n")
    endif()
endforeach()
list(JOIN static_modules " " static_modules)
list(JOIN static_libraries " " static_libraries)
file(RELATIVE_PATH to_prefix /${pkgconfig_dir} /)

foreach(name deeper deeper-tools)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_dir})
endforeach()
configure_file(cmake/deeper-config.cmake.in deeper-config.cmake @ONLY)
write_basic_package_version_file(deeper-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/deeper-config.cmake
    ${CMAKE_BINARY_DIR}/deeper-config-version.cmake DESTINATION ${package_dir})
