/* DNS: queries answered in every size of room, replies walked to their end. */
#include "fuzz.h"

#include <errno.h>

#include "proto/dns_message.h"

static void answer(const uint8_t *query, size_t len, size_t room)
{
	static const uint8_t ip[16];
	struct dns_question q;
	struct dns_reply r;
	uint8_t *out;
	size_t n;
	int rc = dns_message_parse_query(query, len, &q);

	if (rc == -EBADMSG)
		return;
	must(q.end >= DNS_HEADER_LEN && q.end <= len && q.name_len <= DNS_NAME_TEXT_MAX);
	out = malloc(room);
	dns_reply_begin(&r, out, room, query, &q, rc ? dns_message_error_rcode(rc) : DNS_RCODE_OK);
	dns_reply_add(&r, DNS_TYPE_A, 1, ip, 4);
	dns_reply_add(&r, DNS_TYPE_AAAA, 1, ip, 16);
	dns_reply_add_name(&r, DNS_TYPE_PTR, 1, q.name, q.name_len);
	n = dns_reply_end(&r);
	must(n >= DNS_HEADER_LEN && n <= room && dns_message_id(out) == q.id);
	free(out);
}

static void walk(const uint8_t *msg, size_t len)
{
	char text[DNS_NAME_TEXT_MAX + 1];
	struct dns_records it;
	struct dns_record record;
	size_t next;
	bool plain;

	if (len >= DNS_HEADER_LEN && dns_message_read_name(msg, len, DNS_HEADER_LEN, text, &next, &plain) >= 0)
		must(next <= len);
	if (dns_records_begin(&it, msg, len) < 0)
		return;
	while (dns_records_next(&it, &record) == 1)
		must(record.data >= msg && record.data + record.len <= msg + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t room = DNS_UDP_MIN + input_byte(&in) * 4u, len = in.left;
	uint8_t *block = input_block(&in, len);

	answer(block, len, room);
	walk(block, len);
	if (len >= DNS_HEADER_LEN)
		dns_message_answers(block, len, data, size);
	free(block);
	return 0;
}
