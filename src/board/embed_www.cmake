# Writes a C file with asset_find() over all files: cmake -DOUT=… -DFILES=a|b -P embed_www.cmake
string(REPLACE "|" ";" files "${FILES}")
set(text "#include \"board/assets.h\"\n\n#include <string.h>\n\n")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND text "static const unsigned char file_${number}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", file_${number}, sizeof(file_${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nstatic const struct asset assets[] = {\n${rows}};\n
const struct asset *asset_find(const char *name)
{
    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
        if (strcmp(assets[i].name, name) == 0)
            return &assets[i];
    return 0;
}\n")
file(WRITE "${OUT}" "${text}")
