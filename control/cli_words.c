/*
 * What people type who know other clouds' tools: their words in ours, and which operation was meant.
 */
#include "control/cli_op.h"
#include "control/text.h"

#include <fnmatch.h>
#include <stdio.h>

#define WORDS_MAX 4

struct word {
	const char *theirs, *ours; /* theirs: a pattern of fnmatch */
};

/* First words: what aws, gcloud, az and openstack call a resource. */
static const struct word resources[] = {
	{"server*", "instances"}, {"vm", "instances"}, {"vms", "instances"}, {"machine*", "instances"},
	{"ec2", "instances"}, {"nova", "instances"}, {"compute", "instances"}, {"s3", "buckets"}, {"s3api", "buckets"},
	{"gs", "buckets"}, {"gsutil", "buckets"}, {"storage", "buckets"}, {"container*", "buckets"}, {"blob*", "objects"},
	{"object", "objects"}, {"size*", "flavors"}, {"machine-type*", "flavors"}, {"instance-type*", "flavors"},
	{"ssh-key*", "keypairs"}, {"key*", "keypairs"}, {"location*", "zones"}, {"region*", "zones"},
	{"availability*", "zones"}, {"disk*", "volumes"}, {"ebs", "volumes"}, {"cinder", "volumes"}, {"vpc*", "networks"},
	{"vnet*", "networks"}, {"route53", "dns"}, {"zone", "dns"}, {"record*", "dns"}, {"designate", "dns"}, {"sg", "security-groups"},
	{"firewall*", "security-groups"}, {"nsg", "security-groups"}, {"address*", "floating-ips"}, {"floating", "floating-ips"},
	{"eip*", "floating-ips"}, {"ip*", "floating-ips"}, {"public-ip*", "floating-ips"}, {"lb", "load-balancers"},
	{"elb*", "load-balancers"}, {"loadbalancer*", "load-balancers"}, {"cloudformation", "stacks"}, {"heat", "stacks"},
	{"deployment*", "stacks"}, {"iam", "identity"}, {"sts", "identity"}, {"user*", "identity"}, {"role*", "identity"},
	{"credential*", "auth"}, {"lambda*", "functions"}, {"functionapp*", "functions"}, {"rds", "databases"},
	{"db*", "databases"}, {"sql", "databases"},
};

/* The others: what they call a verb, or a part of a resource. */
static const struct word verbs[] = {
	{"ls", "list"}, {"show", "get"}, {"describe", "get"}, {"info", "get"}, {"view", "get"}, {"rm", "delete"},
	{"remove", "delete"}, {"del", "delete"}, {"destroy", "delete"}, {"terminate", "delete"}, {"mk", "create"},
	{"new", "create"}, {"add", "create"}, {"run", "create"}, {"launch", "create"}, {"cp", "copy"}, {"put", "upload"},
	{"restart", "reboot"}, {"poweroff", "stop"}, {"shutdown", "stop"}, {"deallocate", "stop"}, {"boot", "start"}, {"log*", "console"},
	{"get-console-output", "console"}, {"edit", "update"}, {"change", "update"}, {"modify", "update"},
	{"import", "create"}, {"zone", "zones"}, {"record*", "records"}, {"resize", "extend"},
	{"describe-*", "list"}, {"list-*", "list"}, {"create-*", "create"}, {"run-*", "create"}, {"delete-*", "delete"},
	{"terminate-*", "delete"}, {"start-*", "start"}, {"stop-*", "stop"}, {"reboot-*", "reboot"},
};

/* Whole commands that are no resource's. */
static const struct word commands[] = {
	{"ls", "buckets list"}, {"cp", "objects upload"}, {"upload", "objects upload"}, {"download", "objects download"},
	{"mv", "objects copy"}, {"rm", "objects delete"}, {"mb", "buckets create"}, {"rb", "buckets delete"},
	{"whoami", "identity users current"}, {"login", "auth explain"}, {"configure", "auth explain"},
	{"init", "auth explain"}, {"account", "auth explain"}, {"providers", "capabilities"}, {"clouds", "capabilities"},
};

static const char *find_word(const struct word *words, size_t count, const char *typed)
{
	for (size_t i = 0; i < count; i++)
		if (!fnmatch(words[i].theirs, typed, 0))
			return words[i].ours;
	return NULL;
}

/* How far a typed word is from one of ours; -1: too far. */
static int distance(const char *typed, struct str ours, bool is_first)
{
	char word[64];
	const char *known;

	if (ours.len >= sizeof word)
		return -1;
	memcpy(word, ours.ptr, ours.len);
	word[ours.len] = '\0';
	if (!strcmp(typed, word))
		return 0;
	known = is_first ? find_word(resources, ARRAY_SIZE(resources), typed) : find_word(verbs, ARRAY_SIZE(verbs), typed);
	if (known && !strcmp(known, word))
		return 1;
	return text_is_near(typed, word) ? 2 : -1;
}

struct search {
	int argc;
	char *const *argv;
	const struct op *found;
	size_t words; /* of its name: the more the better */
	int cost;
};

static int compare(void *arg, const struct op *op)
{
	struct search *s = arg;
	struct str rest = str_of(op->name), word;
	size_t words = 0;
	int cost = 0;

	if (!cli_op_is_command(op))
		return 0;
	while ((word = str_split(&rest, '.')).ptr) {
		int d = words < (size_t)s->argc ? distance(s->argv[words], word, words == 0) : -1;

		if (d < 0)
			return 0;
		cost += d;
		words++;
	}
	if (!s->found || words > s->words || (words == s->words && cost < s->cost)) {
		s->found = op;
		s->words = words;
		s->cost = cost;
	}
	return 0;
}

static const struct op *find_near(int argc, char *const *argv)
{
	struct search s = {.argv = argv};

	while (s.argc < argc && s.argc < WORDS_MAX && argv[s.argc][0] != '-')
		s.argc++;
	(void)op_each(compare, &s); /* found says it */
	return s.found;
}

/* The resource that a first word means, as it is or nearly. */
struct resource_search {
	const char *typed;
	char found[64];
	int cost;
};

static int compare_resource(void *arg, const struct op *op)
{
	struct resource_search *s = arg;
	size_t len = strcspn(op->name, ".");
	int d;

	if (!cli_op_is_command(op) || len >= sizeof s->found)
		return 0;
	d = distance(s->typed, (struct str){op->name, len}, true);
	if (d < 0 || (s->found[0] && d >= s->cost))
		return 0;
	memcpy(s->found, op->name, len);
	s->found[len] = '\0';
	s->cost = d;
	return 0;
}

bool cli_op_near(int argc, char *const *argv, char *ret, size_t size)
{
	struct resource_search resource = {.typed = argv[0]};
	const struct op *op = find_near(argc, argv);
	const char *whole = op ? NULL : find_word(commands, ARRAY_SIZE(commands), argv[0]);

	if (!op && !whole && argc > 1) /* "compute instances list" */
		op = find_near(argc - 1, argv + 1);
	if (op) {
		cli_op_words(op, ret, size);
		return true;
	}
	if (!whole) {
		(void)op_each(compare_resource, &resource); /* found says it */
		whole = resource.found;
	}
	(void)snprintf(ret, size, "%s", whole); /* words of ours are short */
	return *ret;
}
