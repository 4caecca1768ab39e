# How everything is compiled. Two interface targets carry the flags:
#   deeper-flags      all sources; sees src/ and include/
#   deeper-cli-flags  the command: sees the public headers only
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # for clang-tidy

set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes
    -Wmissing-prototypes -Wundef)
if(DEEPER_WERROR)
    list(APPEND warnings -Werror)
endif()

# Sums must be the same on every compiler and machine: no contraction into FMA behind our back, and
# never -ffast-math. errno after sqrt is of no use to anyone and keeps loops from vectorising.
# Nobody reads exception flags: -fno-trapping-math lets loops with a choice become vectors, and changes no result.
set(numerics -fno-math-errno -fno-trapping-math -ffp-contract=off)
if(NOT DEEPER_SANITIZE) # nothing unwinds through C; a tenth of the command's size
    list(APPEND numerics -fno-asynchronous-unwind-tables)
endif()
# __FILE__ is the path in the sources, wherever these lie: the same bytes on every machine.
set(paths -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

# Sanitizer builds keep the asserts; release builds drop them.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(deeper_sanitize_flags)
set(deeper_no_undefined -Wl,-z,defs) # a shared library that lacks a symbol fails here, not later
if(DEEPER_SANITIZE)
    set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
    set(deeper_sanitize_flags -fsanitize=${DEEPER_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    set(deeper_no_undefined) # clang's sanitizer runtime lives in the executable
endif()

add_library(deeper-cli-flags INTERFACE)
target_compile_options(deeper-cli-flags INTERFACE ${warnings} ${numerics} ${paths}
    ${deeper_sanitize_flags})
target_compile_definitions(deeper-cli-flags INTERFACE _GNU_SOURCE)
target_include_directories(deeper-cli-flags INTERFACE ${CMAKE_SOURCE_DIR}/include)
add_library(deeper-flags INTERFACE)
target_link_libraries(deeper-flags INTERFACE deeper-cli-flags)
target_include_directories(deeper-flags INTERFACE ${CMAKE_SOURCE_DIR}/src)

# Kernels for one instruction set live in files named after it, compiled with its flags; elsewhere
# than on x86-64 they are left out, and the dispatch table must not name them.
function(deeper_isa_flags list)
    set(kept)
    foreach(source ${${list}})
        if(source MATCHES "_avx2\\.c$")
            set(isa -mavx2 -mfma)
        elseif(source MATCHES "_amx\\.c$")
            set(isa -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mfma -mamx-tile -mamx-bf16)
        elseif(source MATCHES "_avx512bf16\\.c$")
            set(isa -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mfma)
        elseif(source MATCHES "_avx512\\.c$")
            set(isa -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
        else()
            list(APPEND kept ${source})
            continue()
        endif()
        if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
            # What the compiler makes vectors of; the others are vectors already. For some, what else -O3 does is a fifth more code and no faster.
            if(source MATCHES "/(windows|span)_")
                list(APPEND isa "$<$<CONFIG:Release>:-ftree-vectorize>")
            elseif(source MATCHES "/(maps|rows)_" AND NOT source MATCHES "rows_avx2")
                list(APPEND isa "$<$<CONFIG:Release>:-O3>")
            endif()
            set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${isa}")
            list(APPEND kept ${source})
        endif()
    endforeach()
    set(${list} ${kept} PARENT_SCOPE)
endfunction()
