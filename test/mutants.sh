# What can be taken out of the extension, and the tests that fail without it.
#
# "make test WITHOUT=overlap" builds without the overlap and runs every suite, or
# those that SUITES names; "make test-mutants", a part of "make test-long", takes
# out one after the other and shows that its tests notice.
#
# mutant NAME FILE SED TEST...: the sed command changes exactly one line of the
# file; tests are regress/name, isolation/name or tap/name, and each of them fails.

# Reads: what changed in CDMS comes, though it bears an earlier date, or the very
# second of the watermark.
mutant overlap src/sync/pull.c 's/(progress->pulled_through, -table->overlap)/(progress->pulled_through, 0)/' \
	regress/complete_table
mutant same-second src/sync/pull.c 's/CRM_GE, \(&table->entity.fields\[table->modified_field\]\)/CRM_GT, \1/' \
	regress/changes_clock
mutant clock-set-back src/sync/pull.c 's/theirs < -half/false/' \
	regress/changes_clock
mutant clock-was-ahead src/sync/pull.c 's/theirs < ours - half - CLOCKS_DIFFER/false/' \
	regress/changes_clock
mutant dates-out-of-range src/net/answer.c 's/date >= 0 && date < YEAR_10000/date != -1/' \
	regress/changes_clock
mutant what-no-longer-matches src/sync/pull.c 's/^\s*pull_unseen(pull, ask->quals);//' \
	regress/read_changes

# Reads: CDMS's filters let through too much, which is sorted out here ...
mutant local-recheck src/fdw/plan.c 's/local = lappend(local, info->clause);/local = NIL;/' \
	regress/filters
mutant store-recheck src/fdw/plan.c 's/^\s*store = lappend(store, .*//' \
	regress/store_plans
# ... and never too little.
mutant folded-letters src/fdw/condition.c 's/return pattern == PATTERN_ILIKE ? or_folded(.*/return condition;/' \
	regress/filters
mutant trailing-blanks src/fdw/condition.c "s/run->text.data\[run->text.len - 1\] == ' '/false/" \
	regress/filters
mutant widened-dates src/fdw/condition.c 's/date += USECS_PER_SEC;/date += 0;/' \
	regress/filters tap/filters_at_random
mutant brackets src/fdw/condition.c "s/return \*p == '\[' ||/return/" \
	regress/filters

# Reads: a lower VersionNumber may appear after a higher one.
mutant late-version src/sync/pull.c 's/(former.asked_at, pull->began, table->overlap)/(former.asked_at, pull->began, 0)/' \
	regress/changes_version

# max_age: what was rolled back, overlaid, or is not visible to a transaction is no
# answer.
mutant age-rolled-back src/sync/age.c 's/entry->subtransaction >= aborted/false/' \
	regress/max_age_transactions
mutant age-overlaid src/sync/pull.c 's/if (is_settled(pull) \&\& is_any/if (is_any/' \
	regress/max_age_transactions
mutant age-not-visible src/sync/age.c 's/moment.published >= look->published_before/false/' \
	tap/max_age_cluster
mutant age-meaning src/sync/age.c 's/^\s*crm_version_add(&meaning, SearchSysCache1(FOREIGNTABLEREL.*//' \
	regress/max_age_altered
mutant reconcile-late src/sync/reconcile.c 's/reconcile->asked == NULL)/true)/' \
	tap/reconcile_meanwhile

# Pass-through: a row that comes from disk outlives the executor's context for rows.
mutant rows-from-disk src/fdw/scan.c 's/MemoryContextSwitchTo(state->row->tts_mcxt)/CurrentMemoryContext/' \
	regress/passthrough_large

# Plans over stores: who may not read does not ask; what was stored is seen, and
# what could not be.
mutant store-plan-rights src/fdw/store_exec.c 's/^\s*crm_check_permissions(desc->plannedstmt);.*//' \
	regress/store_plans_altered
mutant store-plan-snapshot src/fdw/store_exec.c 's/^\trenew_snapshot(desc);//' \
	regress/store_plans
mutant store-plan-overlay src/fdw/store_exec.c 's/if (is_overlaid(answers))/if (is_overlaid(answers) \&\& false)/' \
	isolation/overlay_joined
mutant store-plan-row-security src/fdw/store_plan.c 's/store->rd_rel->relrowsecurity && store->rd_rel->relforcerowsecurity/false/' \
	regress/store_plans_altered

# Reads: nobody waits, and nothing is overwritten that others have.
mutant overlay src/sync/overlay.c 's/^\s*entry->row = heap_copy_tuple_as_datum.*/hash_search(overlay->rows, \&object->key, HASH_REMOVE, NULL);/' \
	isolation/read_waits_for_nobody isolation/pull_open_write
mutant own-columns src/sync/overlay.c 's/column->field < 0 ? "own" : "o"/"o"/' \
	tap/late_answer tap/soak
mutant skip-locked src/sync/store.c 's/ SKIP LOCKED//' \
	isolation/read_waits_for_nobody
mutant lock-timeout src/sync/apply.c 's/#define LOCK_TIMEOUT "10ms"/#define LOCK_TIMEOUT "0"/' \
	isolation/read_waits_for_nobody
mutant pending-protected src/sync/apply.c 's/^\s*keep_own_values(table, object, row, own);//' \
	isolation/local_and_sync
mutant lock-kept src/sync/statement.c 's/return statement->rollbacks == rollbacks;/return true;/' \
	regress/store_locks
mutant late-answer src/sync/apply.c 's/^\s*drop_late(&changes);//' \
	tap/late_answer

# Writes.
mutant undo src/sync/undo.c 's/^\s*undo_actions\[sent->action\] (undoing);//' \
	regress/undo
mutant read-back src/sync/push.c 's/^\s*crm_push_foreach_group(push, needs_read_back, read_back);//' \
	regress/write_update
mutant intent src/sync/push.c 's/if (writes == NIL || (list_length(writes) == 1/if (true || (list_length(writes) == 1/' \
	tap/crash
mutant worker-limit src/sync/worker.c 's/^\s*enable_timeout_after(STATEMENT_TIMEOUT, limit_ms());//' \
	tap/worker
mutant worker-end src/sync/worker.c 's/^\s*enable_timeout_after(last_resort, 2 \* limit_ms());//' \
	tap/worker
mutant constraints src/sync/push.c 's/^\s*AfterTriggerSetState(stmt);//' \
	regress/transactions

# Logins: who belongs, who does not, and how often he is let try.
mutant borrowed-identity src/sync/connection.c 's/^\s*check_password(server, mapping, userid);//' \
	regress/unprivileged tap/tls
mutant verification src/net/http.c 's/SET(CURLOPT_SSL_VERIFYPEER, 1L)/SET(CURLOPT_SSL_VERIFYPEER, 0L)/' \
	tap/tls
mutant system-directory src/net/http.c 's/^\s*SET(CURLOPT_CAPATH, .*//' \
	tap/tls
mutant proxy-trust src/net/http.c 's/^\s*SET(CURLOPT_PROXY_CAINFO, .*//' \
	tap/tls
mutant proxy-directory src/net/http.c 's/^\s*SET(CURLOPT_PROXY_CAPATH, .*//' \
	tap/tls
mutant proxy-revocations src/net/http.c 's/^\s*SET(CURLOPT_PROXY_CRLFILE, .*//' \
	tap/tls
mutant revocations src/net/http.c 's/^\s*SET(CURLOPT_CRLFILE, .*/\t\t;/' \
	tap/tls
mutant refusals src/sync/connection.c 's/^\s*login->refusals = crm_refusals();//' \
	tap/login_refused
mutant secrets src/cdms/login.c 's/^\s*List\s.*secrets = list_copy(response->secrets);/\tList *secrets = NIL;/' \
	tap/login_secrets
mutant one-identity src/sync/connection.c 's/reading->mapping ? reading->mapping->umid : InvalidOid/InvalidOid/' \
	regress/identities
mutant challenges src/net/http.c 's/++exchange->challenges > MOST_CHALLENGES/false/' \
	tap/login_kerberos
mutant form-of-another src/cdms/adfs.c 's/crm_url_same_origin(adfs, page)/true/' \
	regress/login_adfs_hostile
mutant several-passwords src/cdms/adfs.c 's/list_length(passwords) > 1/false/' \
	regress/login_adfs_hostile

# Connections that were altered: not kept open, and not missed.
mutant retired src/sync/connection.c 's/^\s*crm_http_retire(entry->conn->http);//' \
	regress/many_connections
mutant connection-read-again src/sync/connection.c 's/valid = alterations == before/valid = alterations >= before/' \
	isolation/server_altered
mutant table-built-again src/sync/table.c 's|table->valid = !was_altered(table, before)|table->valid = true|' \
	isolation/server_altered

# What is nobody else's business.
mutant logged-links src/cdms/odata.c 's/\.shown = cursor->shown,/.shown = NULL,/' \
	tap/login_secrets
mutant quoted-forms src/cdms/adfs.c 's/fault->words = "";/(void) fault;/' \
	regress/login_adfs_hostile
mutant counts src/sync/functions.c 's/ || !crm_may_use_server(serverid, GetUserId())//' \
	regress/unprivileged tap/preload
mutant logged-bodies src/net/http.c 's/exchange->request\.method,$/exchange->request.body ? exchange->request.body : &/' \
	tap/logging

# What is small on the wire stays small.
mutant exponents src/cdms/value.c 's/if (number > MOST_DECIMAL_DIGITS)/if (false)/' \
	regress/errors_values

# Names are not SQL.
mutant identifiers src/sync/store.c 's/return pstrdup(quote_identifier(column->name));/return pstrdup(column->name);/' \
	tap/identifiers_at_random

# Hostile owners, and those who would use an owner's rights.
mutant store-is-a-table src/sync/table.c 's/get_rel_relkind(relid) == RELKIND_RELATION \&\&/true \&\&/' \
	regress/hostile_owners
mutant owners-path src/rights.c 's/"pg_catalog, pg_temp"/GetConfigOption("search_path", false, false)/' \
	regress/hostile_owners
mutant answers-read-later src/cdms/odata_write.c 's/^\s*kinds\[write->kind\].judge(conn, write, response);/& crm_odata_read_made(conn, list_make1(write));/' \
	regress/hostile_answers
mutant one-meaning src/sync/age.c 's/return !contain_mutable_functions(.*/return true;/' \
	regress/hostile_owners
mutant remainders src/sync/intent.c 's/^\s*crm_intent_note_remainders(writes);//' \
	regress/undo
mutant remainders-of-commit src/sync/push.c 's/^\s*crm_intent_note_remainders(sent);//' \
	regress/undo
mutant settling-lock src/sync/intent.c 's/return left == NIL;/return false;/' \
	regress/undo
mutant elsewhere src/sync/intent.c 's/table->serverid == intent->server ? intent->remainder : CRM_ELSEWHERE/intent->remainder/' \
	regress/undo
mutant requests-told src/net/http.c 's/if (!has_privs_of_role(GetSessionUserId(), lfirst_oid(lc)))/if (false)/' \
	regress/row_security regress/settle_strangers
mutant answers-counted src/sync/functions.c 's/nulls\[6\] = nulls\[7\] = nulls\[8\] = /nulls[11] = /' \
	regress/row_security
mutant strangers-intents src/sync/intent.c 's/its_owner == owner ||/true ||/' \
	regress/settle_strangers
mutant after-set-role src/rights.c 's/ \&\& role == GetSessionUserId()//' \
	regress/deferred_keys
mutant row-type src/sync/history.c 's/find_populate(&populate, .*/find_populate(\&populate, DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(table->name))));/' \
	regress/hostile_shapes
mutant held-by-scans src/fdw/scan.c 's/crm_open_in_statement(estate, .*/continue;/' \
	regress/hostile_shapes
mutant held-by-store-plans src/fdw/store_exec.c 's/opened = lappend(opened, table_open(.*/continue;/' \
	regress/hostile_shapes
mutant held-for-planning src/fdw/store_plan.c 's/held = lappend(held, table_open(.*/continue;/' \
	regress/hostile_shapes
mutant query-columns src/fdw/store_plan.c 's/(void) check_column((Node \*) query, NIL);//' \
	regress/hostile_shapes
mutant planned-columns src/sync/table.c '/^crm_table_planned_column/,/^}/s/if (column == NULL)/if (false)/' \
	regress/hostile_shapes
mutant planned-types src/sync/table.c 's/if (column->type != var->vartype)/if (false)/' \
	regress/hostile_shapes
mutant strangers-parents src/sync/table.c 's/crm_relation_owner(store) == table->owner ?/true ?/' \
	regress/pending_strangers
mutant read-only-parents src/sync/push_object.c 's/ || !crm_push_table(store)->updatable)/)/' \
	regress/pending_strangers
mutant insert-is-not-update src/sync/push_send.c 's/^\t\t\t !may_update(object, write->role))/\t\t\t false)/' \
	regress/pending_strangers
mutant turns src/sync/push_turns.c 's/turn->over = true;/turn->role = row->role;/' \
	regress/pending_strangers
mutant others-values src/sync/push_object.c 's/^\s*crm_push_leave_out_others(object);//' \
	regress/pending_strangers
mutant others-creation src/sync/push_got.c 's/if (creation)/if (creation \&\& false)/' \
	regress/pending_strangers
mutant parked-role src/sync/push.c 's/= crm_push_rows_of(crm_ledger_read_object(object->store, &object->key), role)/= crm_ledger_read_object(object->store, \&object->key)/' \
	regress/pending_strangers
mutant deletions-last src/sync/push_turns.c 's/if (now == NIL)/if (true)/' \
	regress/pending_strangers
mutant push-read-only src/sync/functions.c 's/^\s*crm_table_require_updatable(table);//' \
	regress/pending_strangers
mutant dropped-meanwhile src/sync/functions.c 's/pg_class_aclcheck_ext(\(status.*\), &dropped)/pg_class_aclcheck(\1)/' \
	isolation/dropped_meanwhile
mutant endless-turns src/sync/push.c 's/id > \*push->last)/id > PG_INT64_MAX)/' \
	regress/pending_turns
mutant waits-for-creation src/sync/ledger.c 's/AND NOT o.push AND NOT " WAITS_FOR_CREATION/AND NOT o.push "/' \
	tap/worker

# What a push finds otherwise than it was told; code that runs in a COMMIT.
mutant ways src/sync/push_send.c 's/if (++object->ways > MOST_WAYS)/if (false)/' \
	regress/pending_hidden
mutant lost-deletion src/sync/push_send.c 's/if (sending->object->action == CRM_PUSH_UPDATE || sending->object->gone)/if (true)/' \
	regress/write_lost
mutant moot-update src/sync/push_object.c "s/return count_operation(object, 'i') > 0 \&\&/return true \&\&/" \
	regress/pending_strangers
mutant role-is-gone src/sync/push_object.c 's/if (GetUserNameFromId(row->role, true) == NULL)/if (false)/' \
	regress/partitions
mutant close-all src/sync/commit.c 's/ \&\& !ActiveSnapshotSet()//' \
	regress/commit_code
mutant others-first src/sync/commit.c 's/^\t\tcrm_commit_end_others();.*//' \
	regress/commit_code
mutant outcomes-first src/sync/push_send.c 's/^\t\tnote_outcome(lfirst(lc));/\t\tcontinue;/' \
	regress/undo_existing
mutant prepare-ends-portals src/sync/commit.c 's/ \&\& !prepares;/;/' \
	regress/commit_code
mutant put-off-again src/sync/push.c 's/crm_commit_end_others();.*what they have begun.*//' \
	regress/commit_code

# Rights: a store that is given away, policies of one reader, words for another.
mutant handed-over src/sync/table.c 's/if (rel->rd_rel->relowner != table->owner ||/if (false \&\&/' \
	isolation/handed_over
mutant all-rows src/sync/pull.c 's/CrmStatement \*statement = quals == NIL ?/CrmStatement *statement = false ?/' \
	regress/row_security
mutant one-readers-answer src/sync/pull.c 's/return ask->quals == NIL || crm_overlay_is_allowed(table);/return true;/' \
	regress/row_security
mutant told-why src/sync/push.c 's/= may_know(linitial(rows));/= true;/' \
	regress/told_to_strangers
mutant told-values src/sync/store.c 's/= !has_privs_of_role(GetUserId(), owner);/= false;/' \
	regress/told_to_strangers
mutant key-places src/fdw/modify.c 's/psprintf("crm_key_%d", table->key->attnum)/psprintf("crm_key_%d", 0)/' \
	regress/partitions
mutant overlaid-is-got src/sync/apply.c 's/^\tcrm_asked_not_stored(.*//' \
	regress/overlay_written
mutant overlaid-is-written src/sync/capture.c 's/^\t\trefuse_overlaid(table, key);//' \
	isolation/repeatable_read
mutant parent-first src/sync/push_object.c 's/^\tlock_parent(store, key);//' \
	isolation/parent_taken
mutant broken-off src/sync/push_send.c 's/^\t\t\t\tnote_outcome(sending);/\t\t\t\tcontinue;/' \
	regress/undo_existing
mutant no-statistics src/fdw/analyze.c 's/if (!crm_overlay_is_allowed(table))/if (false)/' \
	regress/row_security
mutant no-counts src/fdw/question.c 's/^\tif (is_hidden(table))/\tif (false)/' \
	regress/row_security
mutant rounded-domains src/fdw/condition.c 's/if (has_typmod(column->type, column->typmod))/if (column->typmod >= 0)/' \
	regress/rounded_columns
