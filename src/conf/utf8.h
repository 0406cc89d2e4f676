/* Text from outside made fit for a terminal and a log, keeping what people
 * really write in names of servers: flags, accents, Chinese. */
#ifndef GATUN_CONF_UTF8_H
#define GATUN_CONF_UTF8_H

/* In place: control characters (C0, DEL, C1, line separators, bidi overrides)
 * and bytes that are no UTF-8 become '?'. Never grows. */
void utf8_make_printable(char *text);

#endif
