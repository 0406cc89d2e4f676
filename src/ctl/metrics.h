/*
 * Every member of the status document, by its path, and the metric that it is in
 * Prometheus text: one table, which docs/status.md shows and a test compares.
 *
 * A path names members with dots between; "servers[]" is each element of an array,
 * whose labels say which one; "*" is each member of an object, its name the label.
 */
#ifndef GATUN_CTL_METRICS_H
#define GATUN_CTL_METRICS_H

#include <jansson.h>
#include <stdbool.h>

enum ctl_kind {
	CTL_WORD,  /* a string, no metric */
	CTL_GAUGE,
	CTL_TOTAL, /* a counter */
	CTL_STATE, /* a string that is the label "state" of a metric that is 1 */
};

struct ctl_metric {
	char path[64];
	char name[64]; /* "gatun_tcp_bytes_up_total"; empty: in the document only */
	enum ctl_kind kind;
	const char *doc;
};

/* The i-th; false behind the last. */
bool ctl_metric_at(int i, struct ctl_metric *out);
/* Prometheus text (exposition format 0.0.4) of the documents of n instances, which a
 * label "pid" tells apart when there are several. NULL: out of memory. */
char *ctl_metrics_format(json_t *const *documents, int n);

#endif
