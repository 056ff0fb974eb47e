/* What is wrong with `webhooks:` beyond the single values (inside of src/conf). */
#pragma once

#include "conf/conf.h"
#include "conf/yaml.h"

void conf_check_webhooks(const struct conf *conf, const struct ynode *root, struct err_list *errs);
