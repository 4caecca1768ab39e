# Man pages and the completion of bash, which the command itself writes.
set(pages_dir ${CMAKE_BINARY_DIR}/pages)
file(MAKE_DIRECTORY ${pages_dir})
set(pages)

# deeper_page(FILE word …): what `deeper help word …` prints.
function(deeper_page file)
    add_custom_command(OUTPUT ${pages_dir}/${file} COMMAND deeper help ${ARGN} > ${pages_dir}/${file}
        DEPENDS deeper)
    set(pages ${pages} ${pages_dir}/${file} PARENT_SCOPE)
endfunction()

deeper_page(deeper.1 --man)
foreach(command train lr eval report features predict serve sweep summary graph bench data-info data-check data-preview data-letters)
    string(REPLACE "-" ";" words ${command})
    deeper_page(deeper-${command}.1 --man ${words})
endforeach()
deeper_page(deeper.bash --completion bash)
add_custom_target(pages ALL DEPENDS ${pages})
install(DIRECTORY ${pages_dir}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(FILES ${pages_dir}/deeper.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME deeper)
