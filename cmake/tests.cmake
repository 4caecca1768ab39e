# Every test is found by its name: tests/KIND/NAME_test.c becomes an executable of its own, linked to
# the static libraries, cmocka, tests/support and the other C files of tests/KIND;
# tests/KIND/NAME_test.py is run by Python 3.
# Labels: the kind; `hostile`, `threads` and `long` when the name contains that word.
# A test that ends with 77 was skipped, and has said why.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

add_custom_target(tests)
add_dependencies(tests examples bench-kernels)
set(environment "DEEPER=$<TARGET_FILE:deeper>" "DEEPER_SOURCE=${CMAKE_SOURCE_DIR}"
    "DEEPER_BUILD=${CMAKE_BINARY_DIR}" "DEEPER_PYTHON=${DEEPER_PYTHON}"
    "PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/support" "PYTHONDONTWRITEBYTECODE=1"
    "CC=${CMAKE_C_COMPILER}" "DEEPER_SANITIZE=${DEEPER_SANITIZE}"
    "ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1"
    "UBSAN_OPTIONS=print_stacktrace=1" "TSAN_OPTIONS=halt_on_error=1")

add_library(deeper-test-flags INTERFACE)
target_include_directories(deeper-test-flags INTERFACE ${CMAKE_SOURCE_DIR}/tests)
target_compile_options(deeper-test-flags INTERFACE -UNDEBUG) # a test's asserts always count
target_link_libraries(deeper-test-flags INTERFACE deeper-flags PkgConfig::CMOCKA m)
set(test_libraries deeper-test-flags deeper-tools-static)
file(GLOB support CONFIGURE_DEPENDS tests/support/*.c)
if(support)
    add_library(deeper-test-support STATIC EXCLUDE_FROM_ALL ${support})
    target_link_libraries(deeper-test-support PUBLIC ${test_libraries})
    set(test_libraries deeper-test-support)
endif()

function(deeper_test_properties test kind name)
    set(labels ${kind})
    foreach(word hostile threads long)
        if(name MATCHES "(^|_)${word}(_|$)")
            list(APPEND labels ${word})
        endif()
    endforeach()
    set(timeout 120)
    if("long" IN_LIST labels)
        set(timeout 3600)
    elseif(DEEPER_SANITIZE)
        set(timeout 600)
    endif()
    set_tests_properties(${test} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout}
        SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
endfunction()

# A test that includes a kernel is compiled as that kernel is.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    get_source_file_property(amx ${CMAKE_SOURCE_DIR}/src/backend/cpu/tile_half_amx.c COMPILE_OPTIONS)
    set_source_files_properties(tests/kernel/amx_emulated_test.c PROPERTIES COMPILE_OPTIONS "${amx}")
endif()

foreach(kind unit grad kernel golden hostile threads cli docs)
    file(GLOB sources CONFIGURE_DEPENDS tests/${kind}/*_test.c)
    file(GLOB helpers CONFIGURE_DEPENDS tests/${kind}/*.c)
    list(FILTER helpers EXCLUDE REGEX "(_test|/make_[a-z_]*)\\.c$") # make_*.c are generators
    set(libraries ${test_libraries})
    if(helpers)
        add_library(${kind}-helpers OBJECT EXCLUDE_FROM_ALL ${helpers})
        target_link_libraries(${kind}-helpers PRIVATE ${test_libraries})
        list(PREPEND libraries ${kind}-helpers)
    endif()
    foreach(source ${sources})
        cmake_path(GET source STEM name)
        set(target ${kind}-${name})
        deeper_program(tests ${target} ${source})
        target_link_libraries(${target} PRIVATE ${libraries})
        add_test(NAME ${kind}/${name} COMMAND ${target})
        deeper_test_properties(${kind}/${name} ${kind} ${name})
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS tests/${kind}/*_test.py)
    foreach(source ${sources})
        cmake_path(GET source STEM name)
        add_test(NAME ${kind}/${name} COMMAND Python3::Interpreter ${source})
        deeper_test_properties(${kind}/${name} ${kind} ${name})
    endforeach()
endforeach()

# The engine once more with AMX's tile instructions played by plain C, for machines that have none.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    add_library(deeper-emulated OBJECT EXCLUDE_FROM_ALL ${core_sources})
    target_link_libraries(deeper-emulated PRIVATE deeper-flags Threads::Threads)
    target_compile_definitions(deeper-emulated PRIVATE DPR_EMULATE_TILES)
    foreach(test IN ITEMS unit/engine_random_threads:amx_engine kernel/convolution:amx_convolution unit/train_threads:amx_train)
        string(REGEX MATCH "^(.*):(.*)$" test ${test})
        set(source tests/${CMAKE_MATCH_1}_test.c)
        set(name ${CMAKE_MATCH_2}_test)
        deeper_program(tests kernel-${name} ${source})
        set_target_properties(kernel-${name} PROPERTIES OUTPUT_NAME ${name})
        target_link_libraries(kernel-${name} PRIVATE deeper-test-flags deeper-emulated
            Threads::Threads ${deeper_sanitize_flags} m)
        add_test(NAME kernel/${name} COMMAND kernel-${name})
        deeper_test_properties(kernel/${name} kernel ${name})
    endforeach()
endif()

# Rules about the sources and the built libraries; each is also tried on mistakes made on purpose.
file(GLOB checks CONFIGURE_DEPENDS tools/check-*)
foreach(check ${checks})
    cmake_path(GET check FILENAME name)
    add_test(NAME lint/${name} COMMAND Python3::Interpreter ${check})
    add_test(NAME lint/${name}-can-fail COMMAND Python3::Interpreter ${check} --self-test)
    deeper_test_properties(lint/${name} lint "")
    deeper_test_properties(lint/${name}-can-fail lint "")
endforeach()
