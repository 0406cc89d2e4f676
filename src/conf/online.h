/*
 * SIP008: servers from the network, as JSON of somebody else's making. Its entries
 * go through the same checks as a file's, but say less: of each only the address,
 * the method, the password and, if it is allowed, the plugin. One that is not sound is
 * left out; a document that is not is refused as a whole.
 */
#ifndef GATUN_CONF_ONLINE_H
#define GATUN_CONF_ONLINE_H

#include <stdint.h>

#include "conf/config.h"
#include "conf/problem.h"

/* As many servers and as many bytes as a document may have. */
#define ONLINE_SERVERS_MAX 256
#define ONLINE_BYTES_MAX (1024u * 1024u)

/* https, or http to a loopback address: what comes decides where all traffic goes. */
bool online_url_is_safe(const char *url);
/* The keys of "online_config" together. */
void online_check(const struct config *, uint32_t command, struct problems *);

struct online_reader {
	/* An entry that is left out; both texts are printable. May be NULL. */
	void (*left_out)(void *owner, int entry, const char *tag, const char *why);
	void *owner;
};

struct online_document {
	int n_servers, n_left_out;
	int64_t bytes_used, bytes_remaining; /* -1: not said */
};

/* Adds the document's servers, marked `online`, to those of the config, whose rules
 * and allowed plugins hold. 0; -EINVAL: *why says what is wrong with the document
 * (a constant) and nothing was added. */
int online_read(struct config *, const char *text, size_t len, const struct online_reader *, struct online_document *,
		const char **why);

#endif
