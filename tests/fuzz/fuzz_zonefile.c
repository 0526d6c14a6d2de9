/* Zone files: what is read is inside the zone, checked, and the same again when it is written and read. */
#include "tests/fuzz/fuzz.h"
#include "backends/cloud/dns_plan.h"
#include "backends/cloud/dns_zonefile.h"

static void check_sets(struct json_object *sets)
{
	for (size_t i = 0; i < json_object_array_length(sets); i++) {
		struct json_object *set = json_object_array_get_idx(sets, i), *values = json_get_array(set, "values");
		const char *name = json_get_string(set, "name"), *type = json_get_string(set, "type");

		FUZZ_CHECK(name && strlen(name) <= DNS_NAME_MAX && dns_is_below(name, "example.org"));
		FUZZ_CHECK(type && dns_is_type(type) && values && json_object_array_length(values));
		for (size_t k = 0; k < json_object_array_length(values); k++) {
			CLEANUP(freep) char *again = NULL;
			const char *value = json_object_get_string(json_object_array_get_idx(values, k));
			struct error err = ERROR_INIT;

			FUZZ_CHECK(dns_value(type, value, &again, &err) == 0 && !strcmp(again, value));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_putp) struct json_object *sets = NULL, *again = NULL, *plan = NULL;
	CLEANUP(buf_release) struct buf out = BUF_INIT(16 << 20);
	struct error err = ERROR_INIT;
	int r = dns_zonefile_parse("example.org", (struct str){ (const char *)data, size }, &sets, &err);

	fuzz_check_result(r, &err);
	if (r < 0)
		return 0;
	check_sets(sets);
	FUZZ_CHECK(dns_zonefile_write("example.org", sets, &out, &err) == 0);
	if (out.len > DNS_ZONEFILE_MAX)
		return 0;
	FUZZ_CHECK(dns_zonefile_parse("example.org", buf_str(&out), &again, &err) == 0);
	FUZZ_CHECK(dns_plan_make("example.org", sets, again, DNS_APEX_NS_LEAVE, &plan, &err) == 0);
	FUZZ_CHECK(!*json_get_string(plan, "plan"));
	return 0;
}
