#include "control/complete.h"

#include "backends/clouds.h"

#include <stdio.h>

struct completion {
	const char *prefix;
	struct buf *out;
	complete_list_fn *list;
	char last[64]; /* the candidate before, so that a resource with many verbs stands there once */
};

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		      strchr("_./:@%+=,-", *s)))
			return false;
	return true;
}

static int offer(struct completion *c, const char *word, const char *help)
{
	size_t len = strcspn(help ? help : "", "\n");

	if (!word || !*word || !is_plain(word) || strncmp(word, c->prefix, strlen(c->prefix)) != 0)
		return 0;
	return buf_addf(c->out, "%s\t%.*s\n", word, (int)len, help ? help : "");
}

/* ---- names ---- */

struct level {
	struct completion *c;
	char below[128]; /* "dns." */
};

/* The next word of each name below. */
static int offer_name(void *arg, const struct op *op)
{
	struct level *l = arg;
	size_t len = strlen(l->below), size;
	char word[64];

	if (!cli_op_is_command(op) || strncmp(op->name, l->below, len) != 0)
		return 0;
	size = strcspn(op->name + len, ".");
	if (size >= sizeof word)
		return 0;
	memcpy(word, op->name + len, size);
	word[size] = '\0';
	if (!strcmp(word, l->c->last))
		return 0;
	(void)snprintf(l->c->last, sizeof l->c->last, "%s", word); /* fits: of the same size */
	return offer(l->c, word, op->name[len + size] ? "operations" : op->summary);
}

static int offer_names(struct completion *c, int count, char *const *words)
{
	struct level l = {.c = c, .below = ""};
	size_t len = 0;

	for (int i = 0; i < count && len < sizeof l.below; i++)
		len += (size_t)snprintf(l.below + len, sizeof l.below - len, "%s.", words[i]);
	return len < sizeof l.below ? op_each(offer_name, &l) : 0;
}

static int offer_first(struct completion *c)
{
	const struct command *command;
	int r = 0;

	for (size_t i = 0; r == 0 && (command = cli_command_at(i)) != NULL; i++)
		if (command->name[0] != '_')
			r = offer(c, command->name, command->summary);
	return r < 0 ? r : offer_names(c, 0, NULL);
}

/* ---- values ---- */

static int offer_words(struct completion *c, const char *const *words)
{
	int r = 0;

	for (; words && *words && r == 0; words++)
		r = offer(c, *words, "");
	return r;
}

static int offer_providers(struct completion *c)
{
	int r = 0;

	for (size_t i = 0; cloud_drivers[i] && r == 0; i++)
		r = offer(c, cloud_drivers[i]->type, cloud_drivers[i]->summary);
	return r;
}

/* Of the options already typed those that say where to look. */
static struct json_object *params_for(const struct op *asked, int count, char *const *words)
{
	static const char *const kept[] = {"provider", "profile", "region", "store", "zone", "bucket"};
	struct json_object *o = json_object_new_object();

	for (int i = 0; o && i + 1 < count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kept); k++)
			if (!strncmp(words[i], "--", 2) && !strcmp(words[i] + 2, kept[k]) && op_param_find(asked, kept[k]))
				json_object_object_add(o, kept[k], json_object_new_string(words[i + 1]));
	return o;
}

static int offer_live(struct completion *c, const struct op *asked, int count, char *const *words)
{
	CLEANUP(json_putp) struct json_object *params = params_for(asked, count, words);
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct error err = ERROR_INIT;
	struct json_object *items;
	int r = 0;

	if (!params || op_check_params(asked, params, &err) < 0 || c->list(asked, params, &result, &err) < 0)
		return 0; /* nothing to offer: no place for messages */
	items = json_get_array(result, "items");
	for (size_t i = 0; items && i < json_object_array_length(items) && r == 0; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		const char *name = json_get_string(item, "name"), *id = json_get_string(item, "id");

		if (json_object_is_type(item, json_type_string))
			name = json_object_get_string(item);
		r = offer(c, name ? name : id, name && id ? id : "");
	}
	return r;
}

static int offer_values(struct completion *c, const struct op_param *p, int count, char *const *words)
{
	const struct op *asked = p->completes ? op_find(p->completes) : NULL;

	if (p->choices)
		return offer_words(c, p->choices);
	if (asked && c->list)
		return offer_live(c, asked, count, words);
	if (!strcmp(p->name, "provider"))
		return offer_providers(c);
	return 0;
}

/* ---- an operation ---- */

static const struct args_option *find_option(const struct args_option *options, const char *word)
{
	for (const struct args_option *o = options; o->name || o->letter; o++)
		if ((o->name && !strncmp(word, "--", 2) && !strcmp(word + 2, o->name)) ||
		    (o->letter && word[0] == '-' && word[1] == o->letter && !word[2]))
			return o;
	return NULL;
}

static const struct op_param *param_named(const struct op *op, const char *option)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++) {
		const char *a = p->name, *b = option;

		while (*a && (*a == *b || (*a == '_' && *b == '-')))
			a++, b++;
		if (!*a && !*b && !p->position)
			return p;
	}
	return NULL;
}

static const struct op_param *param_at_position(const struct op *op, unsigned position)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (p->position && (p->position == position || (p->is_rest && p->position < position)))
			return p;
	return NULL;
}

static int offer_options(struct completion *c, const struct args_option *options)
{
	int r = 0;

	for (const struct args_option *o = options; (o->name || o->letter) && r == 0; o++) {
		char word[80];

		if (!o->name)
			continue;
		(void)snprintf(word, sizeof word, "--%s", o->name); /* names are short */
		r = offer(c, word, o->help);
	}
	return r;
}

/* words: those behind the operation's name, without the one being typed. */
static int offer_of_op(struct completion *c, const struct op *op, const struct args_option *options, int count,
		       char *const *words)
{
	static const char *const formats[] = {"table", "json", "jsonl", "csv", NULL};
	const struct args_option *last = count ? find_option(options, words[count - 1]) : NULL;
	const struct op_param *p;
	unsigned position = 1;

	if (last && last->value) {
		if (last->name && !strcmp(last->name, "output"))
			return offer_words(c, formats);
		p = last->name ? param_named(op, last->name) : NULL;
		return p ? offer_values(c, p, count, words) : 0;
	}
	if (c->prefix[0] == '-')
		return offer_options(c, options);
	for (int i = 0; i < count; i++) {
		const struct args_option *o = words[i][0] == '-' ? find_option(options, words[i]) : NULL;

		if (o && o->value)
			i++; /* its value is no argument */
		else if (words[i][0] != '-')
			position++;
	}
	p = param_at_position(op, position);
	return p ? offer_values(c, p, count, words) : 0;
}

static const struct command *command_named(const char *name)
{
	const struct command *command;

	for (size_t i = 0; (command = cli_command_at(i)) != NULL; i++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

int complete_words(int count, char *const *words, complete_list_fn *list, struct buf *out)
{
	static const char *const shells[] = {"bash", "zsh", "fish", NULL};
	struct completion c = {.prefix = count ? words[count - 1] : "", .out = out, .list = list};
	const struct command *command;
	struct args_option *options;
	const struct op *op;
	int used = 0, r;

	if (count <= 1)
		return offer_first(&c);
	op = cli_op_find(count - 1, words, &used);
	command = command_named(words[0]);
	if (op && (used > 1 || !command)) {
		options = cli_op_options(op);
		r = options ? offer_of_op(&c, op, options, count - 1 - used, words + used) : -ENOMEM;
		cli_op_options_free(options);
		return r;
	}
	if (command && c.prefix[0] == '-')
		return offer_options(&c, command->options);
	if (command && !strcmp(command->name, "completion"))
		return offer_words(&c, shells);
	if (command && !strcmp(command->name, "help"))
		return count == 2 ? offer_first(&c) : offer_names(&c, count - 2, words + 1);
	return command ? 0 : offer_names(&c, count - 1, words);
}

const char *complete_script(const char *shell)
{
	static const struct {
		const char *shell, *text;
	} scripts[] = {
		{"bash", "_skydir() {\n"
			 "\tlocal line\n"
			 "\tCOMPREPLY=()\n"
			 "\twhile IFS= read -r line; do\n"
			 "\t\tCOMPREPLY+=(\"${line%%$'\\t'*}\")\n"
			 "\tdone < <(skydir __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
			 "}\n"
			 "complete -o default -F _skydir skydir\n"},
		{"zsh", "#compdef skydir\n"
			"_skydir() {\n"
			"\tlocal -a items\n"
			"\tlocal line word\n"
			"\twhile IFS= read -r line; do\n"
			"\t\tword=\"${line%%$'\\t'*}\"\n"
			"\t\titems+=(\"${word//:/\\\\:}:${line#*$'\\t'}\")\n"
			"\tdone < <(skydir __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
			"\tif (( $#items )); then\n"
			"\t\t_describe skydir items\n"
			"\telse\n"
			"\t\t_files\n"
			"\tfi\n"
			"}\n"
			/* Loaded from fpath by the first Tab, the file is the function itself; sourced, it is not. */
			"if [[ ${funcstack[1]} == _skydir ]]; then\n"
			"\t_skydir \"$@\"\n"
			"else\n"
			"\tcompdef _skydir skydir\n"
			"fi\n"},
		{"fish", "complete -c skydir -a '(skydir __complete -- (commandline -opc)[2..-1] (commandline -ct) "
			 "2>/dev/null)'\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		if (!strcmp(scripts[i].shell, shell))
			return scripts[i].text;
	return NULL;
}
