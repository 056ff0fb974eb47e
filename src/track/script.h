/* The Lua scripts of src/track/lua, embedded by the build. */
#pragma once

/* The text of lua/NAME.lua, after those that its first line `-- needs: …` names; NULL when there is none. */
const char *script_text(const char *name);
