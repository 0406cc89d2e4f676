/* What queries get, whoever brings them; see service.h. */
#include "dns/service.h"

enum dns_outcome dns_service_answer(struct dns_service *s, const uint8_t *msg, size_t len, uint64_t now_ms, struct dns_question *q,
				    uint8_t *out, size_t *out_len)
{
	enum dns_outcome outcome = dns_answer_read(msg, len, q, out, out_len);
	unsigned rcode = DNS_RCODE_OK;

	if (outcome == DNS_FORWARD)
		outcome = dns_answer_question(s->ops->mode ? s->ops->mode(s, q) : s->mode, msg, q, now_ms, out, out_len);
	if (outcome == DNS_FORWARD && s->ops->refuse)
		rcode = s->ops->refuse(s, q);
	if (rcode == DNS_RCODE_OK)
		return outcome;
	*out_len = dns_answer_rcode(msg, q, rcode, out);
	return DNS_ANSWERED;
}
