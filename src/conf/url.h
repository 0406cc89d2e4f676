/*
 * ss:// URLs: SIP002 (base64url userinfo, or percent-encoded for SIP022) and the
 * older form that is base64 as a whole. Lenient in what it reads (padding,
 * either base64 alphabet, `@` in the password, unknown query arguments), strict
 * in what it writes. An error's words hold no part of the userinfo.
 */
#ifndef GATUN_CONF_URL_H
#define GATUN_CONF_URL_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/spec.h"

bool url_is_ss(const char *text);
/* Fills host, port, method, password, tag, plugin and its options of *out, which must be
 * empty. 0, or -EINVAL with a sentence in err; *out is to be freed in any case. */
int url_parse(const char *text, struct server_spec *out, char *err, size_t err_size);
/* A new string of the caller's (a secret: wipe it with url_free), or NULL
 * without memory. The spec needs host, port, method and password. */
char *url_format(const struct server_spec *);
void url_free(char *url);

/* Percent-decodes `len` bytes into out, which holds one more, and ends them with a NUL.
 * The length, or -EINVAL for a broken escape or a NUL inside. */
ssize_t url_percent_decode(const char *text, size_t len, char *out);

#endif
