#include "backends/base/metrics.h"
#include "check.h"
#include <pthread.h>
#include <stdio.h>

static void the_same_name_and_labels_are_the_same_row(void **state)
{
	(void)state;
	struct metric *a = metric_get(METRIC_COUNTER, "requests_total", "store=\"s3\"");
	struct metric *b = metric_get(METRIC_COUNTER, "requests_total", "store=\"gcs\"");
	struct metric *gauge = metric_get(METRIC_GAUGE, "dirty_bytes", NULL);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(metric_get(METRIC_COUNTER, "requests_total", "store=\"s3\""), a);
	assert_ptr_equal(metric_get(METRIC_GAUGE, "dirty_bytes", ""), gauge);
	metric_add(a, 2);
	metric_add(a, 3);
	metric_set(gauge, 7);
	metric_add(gauge, -9);
	assert_int_equal(metric_value(a), 5);
	assert_int_equal(metric_value(b), 0);
	assert_int_equal(metric_value(gauge), -2);
}

static void rows_of_one_name_stand_together_in_the_text_form(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
	metric_add(metric_get(METRIC_COUNTER, "requests_total", "store=\"azure\""), 1);
	assert_int_equal(metrics_format(&out), 0);
	assert_string_equal(buf_cstr(&out), "# TYPE skydir_requests_total counter\n"
					    "skydir_requests_total{store=\"s3\"} 5\n"
					    "skydir_requests_total{store=\"gcs\"} 0\n"
					    "skydir_requests_total{store=\"azure\"} 1\n"
					    "# TYPE skydir_dirty_bytes gauge\n"
					    "skydir_dirty_bytes -2\n");
	CLEANUP(buf_release) struct buf small = BUF_INIT(10);
	assert_int_equal(metrics_format(&small), -EFBIG);
}

static void labels_that_are_too_long_are_cut_after_a_whole_one(void **state)
{
	(void)state;
	char labels[300];
	(void)snprintf(labels, sizeof(labels), "a=\"1\",b=\"%0100d\"", 7);
	struct metric *m = metric_get(METRIC_COUNTER, "long_total", labels);
	assert_string_equal(m->labels, "a=\"1\"");
	assert_ptr_equal(metric_get(METRIC_COUNTER, "long_total", labels), m);
	char name[200];
	memset(name, 'n', sizeof(name));
	name[199] = '\0';
	m = metric_get(METRIC_COUNTER, name, "");
	assert_int_equal(strlen(m->name), sizeof(m->name) - 1);
	assert_ptr_equal(metric_get(METRIC_COUNTER, name, ""), m);
}

static void *add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		char labels[32];
		(void)snprintf(labels, sizeof(labels), "i=\"%d\"", i % 50);
		metric_add(metric_get(METRIC_COUNTER, "threads_total", labels), 1);
	}
	return NULL;
}

static void sum_up(const struct metric *m, void *arg)
{
	if (strcmp(m->name, "threads_total") == 0)
		*(int64_t *)arg += metric_value(m);
}

static void threads_count_without_losing_any(void **state)
{
	(void)state;
	pthread_t threads[4];
	int64_t sum = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	metrics_each(sum_up, &sum); /* reading meanwhile is allowed */
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	sum = 0;
	metrics_each(sum_up, &sum);
	assert_int_equal(sum, 8000);
}

static void count_row(const struct metric *m, void *arg)
{
	(void)m;
	++*(size_t *)arg;
}

static void a_full_table_counts_the_rest_in_one_row(void **state)
{
	(void)state;
	for (int i = 0; i < 1500; i++) {
		char labels[32];
		(void)snprintf(labels, sizeof(labels), "flood=\"%d\"", i);
		metric_add(metric_get(METRIC_COUNTER, "flood_total", labels), 1);
	}
	struct metric *overflow = metric_get(METRIC_GAUGE, "one_more", "");
	assert_string_equal(overflow->name, "metrics_overflow_total");
	assert_true(metric_value(overflow) > 400);
	size_t rows = 0;
	metrics_each(count_row, &rows);
	assert_int_equal(rows, 1025);
	struct metric *old = metric_get(METRIC_GAUGE, "dirty_bytes", "");
	assert_int_equal(metric_value(old), -2);
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
	assert_int_equal(metrics_format(&out), 0);
	assert_non_null(strstr(buf_cstr(&out), "skydir_metrics_overflow_total "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_name_and_labels_are_the_same_row),
		cmocka_unit_test(rows_of_one_name_stand_together_in_the_text_form),
		cmocka_unit_test(labels_that_are_too_long_are_cut_after_a_whole_one),
		cmocka_unit_test(threads_count_without_losing_any),
		cmocka_unit_test(a_full_table_counts_the_rest_in_one_row),
	};
	return RUN(tests);
}
