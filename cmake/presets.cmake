# Texts that ship become a C file in the build directory, so that programs have them without reading files: presets/NAME.net in the
# library, pages/NAME.* in the tools, recipes/NAME.options and recipes/results.txt in the command. Configuring again is enough when one changes, and make does that by itself.
# deeper_embed(files header array count output): `array`_names, sorted, `array`_texts and their number, which `header` declares.
function(deeper_embed files header array count output)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${files})
    list(SORT found)
    set(names)
    set(texts)
    foreach(one ${found})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${one})
        cmake_path(GET one STEM name)
        file(READ ${one} text)
        string(REPLACE "\\" "\\\\" text "${text}")
        string(REPLACE "\"" "\\\"" text "${text}")
        string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
        string(APPEND names "    \"${name}\",\n")
        string(APPEND texts "    \"${text}\",\n")
    endforeach()
    set(code "/* Written by cmake/presets.cmake; ${header} says from what. */
#include \"${header}\"

const char *const ${array}_names[] = {
${names}};
const char *const ${array}_texts[] = {
${texts}};
const size_t ${count} = sizeof ${array}_names / sizeof *${array}_names;
")
    file(CONFIGURE OUTPUT ${output} CONTENT "@code@" @ONLY)
endfunction()

deeper_embed("presets/*.net" nn/presets.h dpr__preset dpr__n_presets
    ${CMAKE_BINARY_DIR}/presets_made.c)
deeper_embed("recipes/*.options" recipes.h recipe n_recipes ${CMAKE_BINARY_DIR}/recipes_made.c)
deeper_embed("recipes/results.txt" results.h result_file n_result_files ${CMAKE_BINARY_DIR}/results_made.c)

# The same for texts that only browsers read, by gzip where there is zlib to unpack them: a third of the bytes. `array`_names, `array`_bytes and `array`_sizes.
function(deeper_embed_packed files header array count output)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${files})
    list(SORT found)
    set(names)
    set(texts)
    set(sizes)
    foreach(one ${found})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${one})
        cmake_path(GET one STEM name)
        set(packed ${one})
        if(deeper_have_ZLIB)
            set(packed ${CMAKE_BINARY_DIR}/packed.gz)
            file(ARCHIVE_CREATE OUTPUT ${packed} PATHS ${one} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
        endif()
        file(READ ${packed} bytes HEX)
        string(LENGTH "${bytes}" size)
        math(EXPR size "${size} / 2")
        if(deeper_have_ZLIB) # without the time of day (RFC 1952, section 2.3): the same bytes whenever they are made
            string(SUBSTRING "${bytes}" 0 8 magic)
            string(SUBSTRING "${bytes}" 16 -1 rest)
            set(bytes "${magic}00000000${rest}")
        endif()
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        string(APPEND names "    \"${name}\",\n")
        string(APPEND texts "    (const unsigned char[]){${bytes}},\n")
        string(APPEND sizes "    ${size},\n")
    endforeach()
    set(code "/* Written by cmake/presets.cmake; ${header} says from what. */
#include \"${header}\"

const char *const ${array}_names[] = {
${names}};
const unsigned char *const ${array}_bytes[] = {
${texts}};
const size_t ${array}_sizes[] = {
${sizes}};
const size_t ${count} = sizeof ${array}_names / sizeof *${array}_names;
")
    file(CONFIGURE OUTPUT ${output} CONTENT "@code@" @ONLY)
endfunction()
deeper_embed_packed("pages/*" view/page.h dpr__page_file dpr__n_page_files ${CMAKE_BINARY_DIR}/pages_made.c)
