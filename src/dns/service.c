/* What queries get, whoever brings them; see service.h. */
#include "dns/service.h"

enum dns_outcome dns_service_answer(struct dns_service *s, const uint8_t *msg, size_t len, uint64_t now_ms, struct dns_question *q,
				    uint8_t *out, size_t *out_len)
{
	enum dns_outcome outcome = dns_answer(s->mode, msg, len, now_ms, q, out, out_len);
	unsigned rcode = DNS_RCODE_OK;

	if (outcome == DNS_FORWARD && s->ops->refuse)
		rcode = s->ops->refuse(s, q);
	if (rcode == DNS_RCODE_OK)
		return outcome;
	*out_len = dns_answer_rcode(msg, q, rcode, out);
	return DNS_ANSWERED;
}
