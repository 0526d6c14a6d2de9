/*
 * Purpose: the program; everything is in the control room's library, so that tests can link it.
 */
#include "control/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
