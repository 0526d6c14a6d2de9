/*
 * What is spent at Google: Cloud Billing tells it by an export into BigQuery only, which the user sets up once; `billing-table` in the
 * section names its table.
 *
 * Source: cloud.google.com/bigquery/docs/reference/rest/v2/jobs (query, getQueryResults), cloud.google.com/billing/docs/how-to/
 *	export-data-bigquery-tables/standard-usage (read 2026-11). Costs stand there as FLOAT64, credits (negative) beside them: both are
 *	summed by BigQuery as BIGNUMERIC.
 */
#include "backends/gcp/metering_gcp.h"

#include <stdio.h>

#define ANSWER_WAIT_MS "10000"
#define ROWS_A_PAGE    10000

/* "project.dataset.table": nothing that ends the quotation in which it stands. */
static int check_table(const char *table, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";

	if (!table)
		return error_set(err, ERR_CONFIG, "Google tells costs by an export into BigQuery only: set one up in Cloud Billing, and "
						  "billing-table = PROJECT.DATASET.TABLE in the section");
	if (table[strspn(table, allowed)] || !strchr(table, '.') || strlen(table) > 512)
		return error_set(err, ERR_CONFIG, "billing-table: '%.64s' is not like project.dataset.table", table);
	return 0;
}

static const char *const dimension_sql[COST_DIMENSIONS] = {
	[COST_SERVICE] = "service.description",
	[COST_REGION] = "IFNULL(location.region, location.location)",
	[COST_ACCOUNT] = "project.id",
	[COST_RESOURCE] = "resource.global_name", /* of the detailed export only */
	[COST_TAG] = "(SELECT l.value FROM UNNEST(labels) AS l WHERE l.key = @tag LIMIT 1)",
};

static int write_sql(const char *table, const struct cost_by *by, struct buf *sql, struct error *err)
{
	int r = buf_addf(sql, "SELECT FORMAT_TIMESTAMP('%s', usage_start_time) AS period, currency, CAST(SUM(CAST(cost AS BIGNUMERIC)) + "
			      "SUM(IFNULL((SELECT SUM(CAST(c.amount AS BIGNUMERIC)) FROM UNNEST(credits) AS c), 0)) AS STRING) AS amount",
			 by->is_daily ? "%Y-%m-%d" : "%Y-%m");

	for (size_t i = 0; i < by->count && r == 0; i++)
		r = buf_addf(sql, ", %s AS by%zu", dimension_sql[by->by[i].dimension], i);
	if (r == 0)
		r = buf_addf(sql, " FROM `%s` WHERE usage_start_time >= TIMESTAMP(@since) AND usage_start_time < TIMESTAMP(@until) "
				  "GROUP BY period, currency", table);
	for (size_t i = 0; i < by->count && r == 0; i++)
		r = buf_addf(sql, ", by%zu", i);
	if (r == 0)
		r = buf_adds(sql, " ORDER BY period");
	return r < 0 ? error_no_memory(err) : 0;
}

static int add_parameter(struct service_request *q, size_t i, const char *name, const char *value, struct error *err)
{
	static const char *const places[] = { "name", "parameterType.type", "parameterValue.value" };
	const char *const values[] = { name, "STRING", value };
	int r = 0;

	for (size_t n = 0; n < ARRAY_SIZE(places) && r == 0; n++) {
		CLEANUP(freep) char *place = str_format("queryParameters.%zu.%s", i, places[n]);
		struct json_object *text = json_object_new_string(values[n]);

		if (!place || !text) {
			json_object_put(text);
			return error_no_memory(err);
		}
		r = rest_put(&q->json, place, text, err);
	}
	return r;
}

static int build(struct cloud_call *call, const struct metering_period *period, const struct cost_by *by, struct service_request *q,
		 struct error *err)
{
	CLEANUP(buf_release) struct buf sql = BUF_INIT(16384);
	const char *table = gcp_of(call)->billing_table;
	size_t count = 2;
	int r = check_table(table, err);

	q->method = HTTP_POST;
	q->is_read = true;
	if (r == 0)
		r = write_sql(table, by, &sql, err);
	if (r == 0)
		r = rest_put(&q->json, "query", json_object_new_string(buf_cstr(&sql)), err);
	if (r == 0)
		r = rest_put(&q->json, "useLegacySql", json_object_new_boolean(false), err);
	if (r == 0)
		r = rest_put(&q->json, "parameterMode", json_object_new_string("NAMED"), err);
	if (r == 0)
		r = rest_put(&q->json, "maxResults", json_object_new_int64(call->page_size ? call->page_size : ROWS_A_PAGE), err);
	if (r == 0)
		r = add_parameter(q, 0, "since", period->from, err);
	if (r == 0)
		r = add_parameter(q, 1, "until", period->until, err);
	for (size_t i = 0; i < by->count && r == 0; i++)
		if (by->by[i].dimension == COST_TAG)
			r = add_parameter(q, count++, "tag", by->by[i].tag, err);
	return r;
}

struct cost_list {
	struct cloud_call *call;
	const struct cost_by *by;
	const struct metering_period *whole;
	struct json_object *list;
	bool is_full;
};

static const char *cell(struct json_object *row, size_t i)
{
	struct json_object *cells = json_get_array(row, "f");

	return cells && i < json_object_array_length(cells) ? json_get_string(json_object_array_get_idx(cells, i), "v") : NULL;
}

/* "2026-11" or "2026-11-23", within what was asked. */
static int find_period(const struct cost_list *c, const char *text, struct metering_period *ret, struct error *err)
{
	*ret = (struct metering_period){ .from = "" };
	while (metering_period_next(c->whole, c->by->is_daily, ret))
		if (!strncmp(ret->from, text, c->by->is_daily ? DAY_LEN : 7))
			return 0;
	return error_set(err, ERR_PROTOCOL, "%s: the answer tells of '%.16s', which was not asked for", c->call->operation, text);
}

static int add_row(struct cost_list *c, struct json_object *row, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	const char *period_text = cell(row, 0), *amount_text = cell(row, 2);
	CLEANUP(json_putp) struct json_object *amount = amount_text ? json_object_new_string(amount_text) : NULL;
	struct metering_period period;
	int r = o ? 0 : error_no_memory(err);

	if (r == 0 && (!period_text || !amount))
		return error_set(err, ERR_PROTOCOL, "%s: a row has no period or no amount", c->call->operation);
	if (r == 0)
		r = find_period(c, period_text, &period, err);
	if (r == 0)
		r = metering_put(o, "from", period.from, err);
	if (r == 0)
		r = metering_put(o, "until", period.until, err);
	for (size_t i = 0; i < c->by->count && r == 0; i++)
		r = metering_put(o, cost_dimension_name(c->by->by[i].dimension), cell(row, 3 + i), err);
	if (r == 0)
		r = metering_put_money(o, "amount", amount, err);
	if (r == 0)
		r = metering_put(o, "currency", cell(row, 1), err);
	if (r == 0)
		r = metering_add(c->call, o, &c->list, err);
	c->is_full = r == 1;
	return r < 0 ? r : 0;
}

static int add_rows(struct cost_list *c, struct json_object *answer, struct error *err)
{
	struct json_object *rows = json_get_array(answer, "rows");
	int r = 0;

	for (size_t i = 0; rows && i < json_object_array_length(rows) && r == 0 && !c->is_full; i++)
		r = add_row(c, json_object_array_get_idx(rows, i), err);
	return r;
}

/* What follows of the query that the first answer tells of: *answer becomes the next page, or the first one when it is done. */
static int ask_more(struct cost_list *c, struct json_object *first, const char *token, struct json_object **answer, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(buf_release) struct buf path = BUF_INIT(8192);
	const char *project = json_get_string(first, "jobReference.projectId"), *job = json_get_string(first, "jobReference.jobId");
	const char *location = json_get_string(first, "jobReference.location");
	struct json_object *next = NULL;
	int r = 0;

	if (!project || !job)
		return error_set(err, ERR_PROTOCOL, "%s: the query has no name", c->call->operation);
	if (buf_adds(&path, "/projects") < 0 || service_path_add(&path, project) < 0 || buf_adds(&path, "/queries") < 0 ||
	    service_path_add(&path, job) < 0)
		return error_no_memory(err);
	q.path = buf_cstr(&path);
	if (token)
		r = http_query_add(&q.query, "pageToken", token, err);
	if (r >= 0 && location)
		r = http_query_add(&q.query, "location", location, err);
	if (r >= 0)
		r = http_query_add(&q.query, "timeoutMs", ANSWER_WAIT_MS, err);
	if (r >= 0)
		r = service_json(c->call, gcp_service_of(c->call, GCP_BIGQUERY), &q, &next, err);
	if (r < 0)
		return r;
	json_object_put(*answer);
	*answer = next;
	return 0;
}

static int read_all(struct cost_list *c, struct json_object *first, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = json_object_get(first);
	CLEANUP(freep) char *token = NULL;
	int r = 0;

	while (r == 0 && !json_get_bool(answer, "jobComplete", false)) {
		cloud_progress(c->call, "the query is under way");
		r = cloud_sleep(c->call, 200, err); /* the service waits by itself, ten seconds at most */
		if (r == 0)
			r = ask_more(c, first, NULL, &answer, err);
	}
	while (r == 0) {
		const char *next;

		r = add_rows(c, answer, err);
		next = json_get_string(answer, "pageToken");
		if (r < 0 || c->is_full || !next || !*next)
			break;
		if (token && !strcmp(token, next))
			return error_set(err, ERR_PROTOCOL, "%s: the service gives the same page again", c->call->operation);
		free(token);
		token = strdup(next);
		r = token ? ask_more(c, first, token, &answer, err) : error_no_memory(err);
	}
	return r;
}

int gcp_costs(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *first = NULL;
	CLEANUP(freep) char *path = NULL;
	struct metering_period period;
	struct cost_by by;
	struct cost_list c = { .call = call, .by = &by, .whole = &period, .list = json_object_new_array() };
	int r = c.list ? metering_period_read(call->params, &period, err) : error_no_memory(err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	if (r == 0)
		r = build(call, &period, &by, &q, err);
	if (r == 0)
		r = rest_path(call, "projects/{project}/queries", &path, err);
	q.path = path;
	if (r == 0)
		r = service_json(call, gcp_service_of(call, GCP_BIGQUERY), &q, &first, err);
	if (r == 0)
		r = read_all(&c, first, err);
	if (r < 0)
		json_object_put(c.list);
	else
		*ret = c.list;
	return r < 0 ? r : 0;
}
