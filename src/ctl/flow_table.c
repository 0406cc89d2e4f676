/* See flow_table.h. A target is cut at its front, where names have what tells least. */
#include "ctl/flow_table.h"

#include <string.h>

#include "ctl/text.h"

#define WORD_SIZE 1280 /* a name of 255 bytes, each escaped, and a port */
#define WAY_COLUMNS 14
#define FULL_WAY_COLUMNS 16
#define LEFT_COLUMNS 53 /* of a row on a screen, before its target */

/* The text, cut or filled up to `columns`. */
static void put_fit(FILE *f, const char *text, int columns)
{
	int width;
	size_t n = text_fit(text, columns, &width);

	fprintf(f, "%.*s%*s", (int)n, text, columns - width, "");
}

/* A flow that still dials has none. */
static const char *way_of(const json_t *flow, char *buf, size_t size)
{
	const char *way = text_word(flow, "way", buf, size);

	return *way ? way : "-";
}

/* ---- in full ---- */

static void print_full(FILE *f, const json_t *flow)
{
	char state[64], way[128], client[128], target[WORD_SIZE], up[TEXT_SIZE], down[TEXT_SIZE], up_rate[TEXT_SIZE],
		down_rate[TEXT_SIZE], age[TEXT_SIZE], idle[TEXT_SIZE], protocol[16];

	fprintf(f, "%8lld %-3s %-11s %7s %7s %7s %7s %5s %5s ", (long long)text_number(flow, "flow"),
		text_word(flow, "protocol", protocol, sizeof(protocol)), text_word(flow, "state", state, sizeof(state)),
		text_bytes_short(text_number(flow, "up_rate"), up_rate), text_bytes_short(text_number(flow, "down_rate"), down_rate),
		text_bytes_short(text_number(flow, "up"), up), text_bytes_short(text_number(flow, "down"), down),
		text_duration_short(text_number(flow, "age_s"), age), text_duration_short(text_number(flow, "idle_s"), idle));
	put_fit(f, way_of(flow, way, sizeof(way)), FULL_WAY_COLUMNS);
	fprintf(f, " %-21s %s\n", text_word(flow, "client", client, sizeof(client)), text_word(flow, "target", target, sizeof(target)));
}

void flow_table_print(FILE *f, const json_t *answer)
{
	const json_t *flows = json_object_get(answer, "flows");
	json_t *flow;
	size_t i;

	fprintf(f, "%8s %-3s %-11s %7s %7s %7s %7s %5s %5s %-*s %-21s %s\n", "FLOW", "", "STATE", "UP/S", "DOWN/S", "UP", "DOWN", "AGE",
		"IDLE", FULL_WAY_COLUMNS, "WAY", "CLIENT", "TARGET");
	json_array_foreach (flows, i, flow)
		print_full(f, flow);
	if (flow_table_rest(f, answer, json_array_size(flows)))
		fputc('\n', f);
}

/* ---- on a screen ---- */

void flow_table_head(FILE *f)
{
	fprintf(f, "%7s %-3s %6s %6s %6s %4s %-*s %s", "FLOW", "", "UP/S", "DOWN/S", "BYTES", "AGE", WAY_COLUMNS, "WAY", "TARGET");
}

static void put_target(FILE *f, const char *target, int columns)
{
	size_t len = strlen(target);

	if (columns > 2 && len > (size_t)columns) /* it is ASCII: what is not was escaped */
		fprintf(f, "..%s", target + len - (size_t)(columns - 2));
	else
		fputs(target, f);
}

void flow_table_row(FILE *f, const json_t *answer, size_t i, int columns)
{
	const json_t *flow = json_array_get(json_object_get(answer, "flows"), i);
	char way[128], target[WORD_SIZE], protocol[16], up_rate[TEXT_SIZE], down_rate[TEXT_SIZE], bytes[TEXT_SIZE], age[TEXT_SIZE];

	fprintf(f, "%7lld %-3s %6s %6s %6s %4s ", (long long)text_number(flow, "flow"),
		text_word(flow, "protocol", protocol, sizeof(protocol)), text_bytes_short(text_number(flow, "up_rate"), up_rate),
		text_bytes_short(text_number(flow, "down_rate"), down_rate),
		text_bytes_short(text_number(flow, "up") + text_number(flow, "down"), bytes),
		text_duration_short(text_number(flow, "age_s"), age));
	put_fit(f, way_of(flow, way, sizeof(way)), WAY_COLUMNS);
	fputc(' ', f);
	put_target(f, text_word(flow, "target", target, sizeof(target)), columns - LEFT_COLUMNS);
}

bool flow_table_rest(FILE *f, const json_t *answer, size_t shown)
{
	json_int_t all = text_number(answer, "count");
	char n[TEXT_SIZE];

	if (all <= (json_int_t)shown)
		return false;
	fprintf(f, "%7s and %s more", "", text_count(all - (json_int_t)shown, n));
	return true;
}
