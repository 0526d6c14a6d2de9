/*
 * Purpose: the operations on Coda's tables, their columns and rows, and on formulas, controls, buttons and automations:
 * rows. backends/coda has what they send.
 */
#include "control/ops_coda.h"

static const char *const sort_names[] = {"name", NULL};
static const char *const table_types[] = {"table", "view", NULL};
static const char *const row_sorts[] = {"createdAt", "natural", "updatedAt", NULL};
static const char *const value_formats[] = {"simple", "simpleWithArrays", "rich", NULL};
static const char *const doc_versions[] = {"latest", NULL};

#define TABLE {"table", OP_STRING, true, 512, "identifier or name of the table", .position = 2, .completes = "coda.tables.list"}
#define ROW   {"row", OP_STRING, true, 512, "identifier or name of the row", .position = 3}
#define SORT  {"sort", OP_ENUM, false, 0, "how they are sorted", .choices = sort_names}
#define VALUES                                                                                                   \
	{"column_names", OP_BOOL, false, 0, "name columns by their names, not their identifiers"},               \
		{"value_format", OP_ENUM, false, 0, "how values come (simple)", .choices = value_formats},       \
		{"doc_version", OP_ENUM, false, 0, "latest: fail rather than answer from an older snapshot",     \
		 .choices = doc_versions}
#define SET(at) \
	{"set", OP_MAP, false, 65536, "a cell's value, by column", .position = at, .is_rest = true}
#define NO_PARSING {"no_parsing", OP_BOOL, false, 0, "store values as they are: '3' stays a text"}

static const struct op_param tables_params[] = {
	CODA_DOC,
	SORT,
	{"type", OP_ENUM, false, 0, "only tables, or only views", .choices = table_types},
	OP_PARAM_END,
};
static const struct op_param table_params[] = {CODA_DOC, TABLE, OP_PARAM_END};
static const struct op_param columns_params[] = {
	CODA_DOC, TABLE, {"visible", OP_BOOL, false, 0, "only those that are shown"}, OP_PARAM_END};
static const struct op_param column_params[] = {
	CODA_DOC,
	TABLE,
	{"column", OP_STRING, true, 512, "identifier or name of the column", .position = 3},
	OP_PARAM_END,
};
static const struct op_param rows_params[] = {
	CODA_DOC,
	TABLE,
	{"query", OP_STRING, false, 4096, "COLUMN:VALUE; a name of a column and a text in quotes (\"Name\":\"Ann\")"},
	{"sort", OP_ENUM, false, 0, "how they are sorted (natural: only rows that are shown)", .choices = row_sorts},
	VALUES,
	{"visible", OP_BOOL, false, 0, "only rows and columns that are shown"},
	{"sync_token", OP_STRING, false, 4096, "next_sync_token of an earlier list: only what changed since"},
	OP_PARAM_END,
};
static const struct op_param row_params[] = {CODA_DOC, TABLE, ROW, VALUES, OP_PARAM_END};
static const struct op_param insert_params[] = {
	CODA_DOC,
	TABLE,
	SET(3),
	{"rows", OP_JSON, false, 0, "a row or a list of rows, each {COLUMN: VALUE}"},
	{"key", OP_LIST, false, 512, "rows with the same value in this column are updated instead; may be repeated"},
	NO_PARSING,
	OP_PARAM_END,
};
static const struct op_param update_params[] = {
	CODA_DOC, TABLE, ROW, SET(4),
	{"cells", OP_JSON, false, 0, "cells as {COLUMN: VALUE}"},
	NO_PARSING,
	OP_PARAM_END,
};
static const struct op_param rows_delete_params[] = {
	CODA_DOC,
	TABLE,
	{"rows", OP_LIST, true, 512, "identifier of a row; may be several", .position = 3, .is_rest = true},
	OP_PARAM_END,
};
static const struct op_param push_params[] = {
	CODA_DOC, TABLE, ROW,
	{"column", OP_STRING, true, 512, "the column of the button", .position = 4},
	OP_PARAM_END,
};
static const struct op_param sorted_params[] = {CODA_DOC, SORT, OP_PARAM_END};
static const struct op_param formula_params[] = {
	CODA_DOC,
	{"formula", OP_STRING, true, 512, "identifier or name", .position = 2, .completes = "coda.formulas.list"},
	OP_PARAM_END,
};
static const struct op_param control_params[] = {
	CODA_DOC,
	{"control", OP_STRING, true, 512, "identifier or name", .position = 2, .completes = "coda.controls.list"},
	OP_PARAM_END,
};
static const struct op_param trigger_params[] = {
	CODA_DOC,
	{"rule", OP_STRING, true, 128, "identifier of the automation", .position = 2},
	{"payload", OP_JSON, false, 0, "an object that the automation gets"},
	OP_PARAM_END,
};

#define MAKES_CHANGE .result = OP_ONE, .shape = &coda_shape_change, .wait = &coda_wait

extern const struct op coda_table_op_rows[];
const struct op coda_table_op_rows[] = {
	{.name = "coda.tables.list",
	 .summary = "list the tables and views of a doc",
	 .params = tables_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_table,
	 CODA_ROW(CODA_TABLES_LIST)},
	{.name = "coda.tables.get",
	 .summary = "show a table or view",
	 .params = table_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_table,
	 CODA_ROW(CODA_TABLES_GET)},
	{.name = "coda.columns.list",
	 .summary = "list the columns of a table",
	 .params = columns_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_column,
	 CODA_ROW(CODA_COLUMNS_LIST)},
	{.name = "coda.columns.get",
	 .summary = "show a column",
	 .params = column_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_column,
	 CODA_ROW(CODA_COLUMNS_GET)},
	{.name = "coda.rows.list",
	 .summary = "list the rows of a table",
	 .details = "In JSON, next_sync_token stands beside the items: with --sync-token the next list holds only what\n"
		    "changed since.",
	 .params = rows_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_row,
	 .example = "skydir coda rows list AbCDeFGH Tasks --column-names --query '\"State\":\"open\"' --output json",
	 CODA_RUN(coda_rows_list)},
	{.name = "coda.rows.get",
	 .summary = "show a row",
	 .params = row_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_row,
	 CODA_ROW(CODA_ROWS_GET)},
	{.name = "coda.rows.insert",
	 .summary = "add rows, or update those with the same key",
	 .risk = OP_CHANGE,
	 .params = insert_params,
	 MAKES_CHANGE,
	 .example = "skydir coda rows insert AbCDeFGH Tasks Name=Tidy State=open --wait\n"
		    "skydir coda rows insert AbCDeFGH Tasks --rows @rows.json --key Name",
	 CODA_RUN(coda_rows_insert)},
	{.name = "coda.rows.update",
	 .summary = "change cells of a row",
	 .risk = OP_CHANGE,
	 .params = update_params,
	 MAKES_CHANGE,
	 .example = "skydir coda rows update AbCDeFGH Tasks i-tuVwxYz State=done",
	 CODA_RUN(coda_rows_update)},
	{.name = "coda.rows.delete",
	 .summary = "delete rows",
	 .risk = OP_DESTROY,
	 .params = rows_delete_params,
	 MAKES_CHANGE,
	 CODA_RUN(coda_rows_delete)},
	{.name = "coda.buttons.push",
	 .summary = "push a row's button",
	 .risk = OP_CHANGE,
	 .params = push_params,
	 MAKES_CHANGE,
	 CODA_ROW(CODA_BUTTONS_PUSH)},
	{.name = "coda.formulas.list",
	 .summary = "list the named formulas of a doc",
	 .params = sorted_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_value,
	 CODA_ROW(CODA_FORMULAS_LIST)},
	{.name = "coda.formulas.get",
	 .summary = "show a formula's value",
	 .params = formula_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_value,
	 CODA_ROW(CODA_FORMULAS_GET)},
	{.name = "coda.controls.list",
	 .summary = "list the controls of a doc",
	 .params = sorted_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_value,
	 CODA_ROW(CODA_CONTROLS_LIST)},
	{.name = "coda.controls.get",
	 .summary = "show a control's value",
	 .params = control_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_value,
	 CODA_ROW(CODA_CONTROLS_GET)},
	{.name = "coda.automations.trigger",
	 .summary = "start an automation that waits for a webhook",
	 .risk = OP_CHANGE,
	 .params = trigger_params,
	 MAKES_CHANGE,
	 CODA_ROW(CODA_AUTOMATIONS_TRIGGER)},
	{.name = NULL},
};
