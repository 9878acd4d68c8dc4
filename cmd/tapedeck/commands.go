package main

import "context"

const usage = `tapedeck records the calls of a FreeSWITCH by policy.

  tapedeck serve   [--config FILE]               run it
  tapedeck demo    [--once] [--dir DIR] [--verbose]
                                                 see it work: no FreeSWITCH and no Redis needed
  tapedeck simulate [--target HOST:PORT] [--number N] [--calls N] [--rate R]
                  [--concurrency C]
                                                 play a FreeSWITCH to a running tapedeck
  tapedeck policy check FILE|DIR                 read a policy, report every mistake
  tapedeck policy explain FILE|DIR --direction inbound|outbound|internal
                  [--number N] [--via KIND/ID ...] [--user U] [--answered-by U]
                  [--toggle U ...] [--organisation ID] [--json]
                                                 say why a call would be recorded, or not
  tapedeck policy set FILE|DIR NAME KEY=VALUE ... [--organisation ID] [--add | --remove] [--dry-run]
                                                 change settings in the file, and nothing else in it;
                                                 NAME: a number, KIND/ID or an organisation's id
  tapedeck policy test FILE|DIR EXPECTATIONS     compare a policy with what is expected of it
  tapedeck policy apply [--config FILE] FILE|DIR say what changes, put it into Redis
  tapedeck recordings ls [--organisation ID] [--from TIME] [--to TIME] [--number N] [--user U]
                  [--trigger automatic|on-demand] [--problems] [--limit N] [--utc] [--json]
                                                 list recordings, the newest first
  tapedeck recordings show ID [--utc] [--json]   say everything that is known of one
  tapedeck recordings verify [--strict] [ID]     read files and sidecars anew, report what does not agree
  tapedeck recordings reindex                    make Redis' index anew from the sidecars
  tapedeck recordings purge [--dry-run]          delete what is older than its organisation's retention
  tapedeck recordings hold ID --reason TEXT [--by NAME]
                                                 keep one from being deleted
  tapedeck recordings release ID [--by NAME]     end that
  tapedeck store key                             make the key that authenticates what is in Redis
  tapedeck audit key                             make the key that signs the evidence log
  tapedeck audit verify [--dir DIR] [--recordings DIR] [--checkpoint FILE ...] [--key FILE ...]
                                                 report what was changed in the audit log, the sidecars
                                                 or the evidence log itself; needs no running tapedeck
  tapedeck account add NAME --role operator|brand|organisation|user [--brand B] [--organisation ID]
                  [--user U] [--group G ...] [--right R ...] [--password-stdin|--no-password] [--replace]
                                                 let somebody use the console and the API
  tapedeck account ls                            list accounts
  tapedeck account password NAME [--password-stdin]
                                                 give one another password
  tapedeck account rm NAME                       remove one, and its tokens
  tapedeck token add ACCOUNT [--name TEXT] [--expires DURATION|never]
                                                 make a bearer token for the API, print its secret
  tapedeck token ls [ACCOUNT]                    list tokens
  tapedeck token rm ID                           revoke one
                                                 (recordings, store, audit, account and token: [--config FILE])
  tapedeck version
  tapedeck worker NAME                           what serve starts to work on sounds; not for people

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

// command carries out one command of the command line; args are the words after its name.
type command func(ctx context.Context, args []string, env environment) error

var commands = map[string]command{
	"serve":          serve,
	"demo":           runDemo,
	"simulate":       runSimulate,
	"policy check":   policyCheck,
	"policy explain": policyExplain,
	"policy set":     policySet,
	"policy test":    policyTest,
	"policy apply":   policyApply,

	"recordings ls":      recordingsList,
	"recordings show":    recordingsShow,
	"recordings verify":  recordingsVerify,
	"recordings reindex": recordingsReindex,
	"recordings purge":   recordingsPurge,
	"recordings hold":    recordingsHold,
	"recordings release": recordingsRelease,

	"store key": storeKey,

	"audit key":    auditKey,
	"audit verify": auditVerify,

	"account add":      accountAdd,
	"account ls":       accountList,
	"account password": accountPassword,
	"account rm":       accountRemove,
	"token add":        tokenAdd,
	"token ls":         tokenList,
	"token rm":         tokenRemove,

	"version": version,
	"worker":  runWorker,
}
