/* What a configuration may say but seldom means. */
#pragma once

#include "conf/conf.h"
#include "conf/yaml.h"

void conf_warn(const struct conf *c, const struct ynode *root, struct err_list *warnings);
