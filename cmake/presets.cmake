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
deeper_embed("pages/*" view/page.h dpr__page_file dpr__n_page_files ${CMAKE_BINARY_DIR}/pages_made.c)
