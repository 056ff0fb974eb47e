/* The Lua scripts of src/track/lua, embedded by the build. */
#pragma once

/* The text of lua/NAME.lua, or NULL when there is none. */
const char *script_text(const char *name);
