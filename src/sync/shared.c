/*
 * sync/shared.c
 *	  Asks the postmaster for the memory and locks of each part, and hands them
 *	  over.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "sync/shared.h"

static const CrmSharedPart *const parts[] = {&crm_age_part, &crm_stats_part, &crm_refusals_part};

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
request(void)
{
	if (previous_request)
		previous_request();
	for (int i = 0; i < lengthof(parts); i++)
	{
		RequestAddinShmemSpace(parts[i]->size());
		RequestNamedLWLockTranche(parts[i]->name, parts[i]->nlocks);
	}
}

static void
start(void)
{
	if (previous_startup)
		previous_startup();
	for (int i = 0; i < lengthof(parts); i++)
	{
		bool		found;
		void	   *memory = ShmemInitStruct(parts[i]->name, parts[i]->size(), &found);

		if (!found)
			memset(memory, 0, parts[i]->size());
		parts[i]->attach(memory, GetNamedLWLockTranche(parts[i]->name));
	}
}

void
crm_shared_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = start;
}
