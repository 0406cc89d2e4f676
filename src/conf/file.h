/* The JSON schema of a config file, from text to specs and config fields. */
#ifndef GATUN_CONF_FILE_H
#define GATUN_CONF_FILE_H

#include "conf/load.h"

/* Reads l->text; problems are added. False if it is
 * no JSON object at all. */
bool file_read(struct loading *l);

#endif
