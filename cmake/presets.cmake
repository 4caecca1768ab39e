# presets/NAME.net become a C file in the build directory, so that the library has them without reading
# files. Configuring again is enough when one changes, and make does that by itself.
file(GLOB presets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/presets/*.net)
list(SORT presets)
set(preset_names)
set(preset_texts)
foreach(preset ${presets})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${preset})
    cmake_path(GET preset STEM name)
    file(READ ${preset} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
    string(APPEND preset_names "    \"${name}\",\n")
    string(APPEND preset_texts "    \"${text}\",\n")
endforeach()
set(preset_code "/* Written by cmake/presets.cmake from the files in presets/. */
#include \"nn/presets.h\"

const char *const dpr__preset_names[] = {
${preset_names}};
const char *const dpr__preset_texts[] = {
${preset_texts}};
const size_t dpr__n_presets = sizeof dpr__preset_names / sizeof *dpr__preset_names;
")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/presets_made.c CONTENT "@preset_code@" @ONLY)
