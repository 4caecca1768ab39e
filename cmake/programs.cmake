# Programs of one source file each, made on demand: tests, examples and benchmarks.
#   target `examples`: examples/*.c, which see what a user sees: the public headers and the libraries
#   target `benches`:  bench/*.c, which see the insides, too

# deeper_program(group target source): an executable in the folder `group`, built with that target.
function(deeper_program group target source)
    add_executable(${target} EXCLUDE_FROM_ALL ${source})
    cmake_path(GET source STEM name)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${group})
    add_dependencies(${group} ${target})
endfunction()

add_custom_target(examples)
file(GLOB sources CONFIGURE_DEPENDS examples/*.c)
foreach(source ${sources})
    cmake_path(GET source STEM name)
    deeper_program(examples example-${name} ${source})
    target_link_libraries(example-${name} PRIVATE deeper-cli-flags deeper-tools-static m)
endforeach()

add_custom_target(benches)
file(GLOB sources CONFIGURE_DEPENDS bench/*.c)
foreach(source ${sources})
    cmake_path(GET source STEM name)
    get_property(needs GLOBAL PROPERTY deeper_needs_bench/${name}.c)
    if(needs AND NOT deeper_have_${needs})
        continue()
    endif()
    deeper_program(benches bench-${name} ${source})
    target_link_libraries(bench-${name} PRIVATE deeper-flags deeper-tools-static
        $<$<BOOL:${needs}>:PkgConfig::${needs}> m)
endforeach()
