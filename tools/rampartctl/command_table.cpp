// SPDX-License-Identifier: Apache-2.0
#include "control/lint/rules.hpp"
#include "tools/rampartctl/cli.hpp"
#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/report.hpp"

namespace rampart::ctl {
namespace {

using Value = Option::Value;

const Option kFilename{
    .name = "filename",
    .letter = 'f',
    .takes = Value::kRequired,
    .value = "FILE",
    .help =
        "a file, a directory (its *.yaml, *.yml and *.json, by name) or - for the "
        "standard input; may be given again",
    .word = Word::kFile,
    .repeatable = true};
const Option kRecursive{
    .name = "recursive",
    .letter = 'R',
    .help = "with a directory: the directories below it too, except hidden ones"};
const Option kFiles{
    .name = "filename",
    .letter = 'f',
    .takes = Value::kRequired,
    .value = "FILE",
    .help =
        "ask these objects instead of rampartd: a file, a directory with all that is below it, or "
        "- for the standard input; may be given again",
    .word = Word::kFile,
    .repeatable = true};
const Option kIfMatch{.name = "if-match",
                      .takes = Value::kRequired,
                      .value = "REVISION",
                      .help = "only if this revision is in force; otherwise nothing is changed",
                      .word = Word::kNumber};
const Option kReason{
    .name = "reason", .takes = Value::kRequired, .value = "TEXT", .help = "why; history shows it"};
const Option kAllowEmpty{
    .name = "allow-empty",
    .help = "also accept a state without a single object, which lifts every policy"};
const Option kNamespace{.name = "namespace",
                        .letter = 'n',
                        .takes = Value::kRequired,
                        .value = "NAMESPACE",
                        .help = "only what is in this namespace"};

std::vector<std::string_view> rule_names() {
  std::vector<std::string_view> names;
  for (const lint::Rule& rule : lint::rules()) names.push_back(rule.id);
  return names;
}

}  // namespace

const std::vector<Option>& common_options() {
  static const std::vector<Option> options{
      {.name = "socket",
       .takes = Value::kRequired,
       .value = "PATH",
       .help = "the control socket; default RAMPART_SOCKET, else /run/rampart/rampart.sock",
       .word = Word::kFile},
      {.name = "output",
       .letter = 'o',
       .takes = Value::kRequired,
       .value = "FORMAT",
       .help = "table for people or json, the answer of the socket as it is",
       .choices = {"table", "json"}},
      {.name = "timeout",
       .takes = Value::kRequired,
       .value = "SECONDS",
       .help = "how long to wait for an answer; default 600 for what changes something, else 30",
       .word = Word::kNumber}};
  return options;
}

const std::vector<Command>& command_table() {
  static const std::vector<Command> commands{
      {.name = "apply",
       .summary = "make these objects the desired state",
       .description =
           "All that -f names, taken together, is the whole desired state: Namespaces, Pods, "
           "Nodes and NetworkPolicies. It replaces what was there, so an object that is left out "
           "is gone, and a policy that is left out no longer protects. (kubectl apply adds to "
           "what is there; here that is delta.) The command returns when the new revision is in "
           "force on every worker. If anything is refused, nothing changes.\n"
           "\n"
           "Files may be JSON or YAML with any number of documents, objects or Lists. Other kinds "
           "(a Deployment, a ConfigMap) are skipped and counted. Policy speaks of pods by their "
           "addresses, so Pods must carry their status, as kubectl get prints it.\n"
           "\n"
           "A state without objects is refused unless --allow-empty says that it is meant: an "
           "empty pipe must not open the firewall.\n"
           "\n"
           "A state that waits for its turn when a later one comes is dropped (superseded), and "
           "the command fails: it was never in force.\n"
           "\n"
           "Exit status with --dry-run as of diff: 0 nothing would open or close, 1 something "
           "would, 2 trouble (refused, for one).\n",
       .call = "PUT /v1/snapshot; with --dry-run POST /v1/validate and GET /v1/snapshot",
       .options = {kFilename,
                   kRecursive,
                   {.name = "dry-run",
                    .help = "check and compile only, and say which objects would be added (+), "
                            "changed (~) and removed (-), who could reach whom or no longer, and "
                            "which live flows would be cut"},
                   kIfMatch,
                   kReason,
                   kAllowEmpty},
       .examples = {"kubectl get ns,pods,nodes,netpol -A -o json | rampartctl apply -f -",
                    "rampartctl apply -f cluster.json -f policies/ --dry-run"},
       .run = run_apply},
      {.name = "delta",
       .summary = "change single objects of the desired state",
       .description = "Takes the watch events of the Kubernetes API ({\"type\": \"MODIFIED\", "
                      "\"object\": {...}}) "
                      "or plain objects, which are put in place of what has their name, or removed "
                      "with --delete. "
                      "All of one command becomes one revision. Events and objects may be JSON or "
                      "YAML. There must "
                      "have been a first snapshot.\n",
       .call = "PATCH /v1/snapshot",
       .options = {kFilename,
                   kRecursive,
                   {.name = "delete", .help = "remove the plain objects instead of putting them"},
                   kIfMatch,
                   kReason},
       .examples = {"kubectl get pod web-0 -n shop -o json | rampartctl delta -f -",
                    "rampartctl delta --delete -f old-policy.yaml"},
       .run = run_delta},
      {.name = "validate",
       .summary = "check files of objects, for pull requests: needs no rampartd",
       .description =
           "Reads files, directories with all that is below them (*.yaml, *.yml, *.json), or - "
           "for the standard input, as one input, and says everything that is wrong with it at "
           "once: what an API server would refuse, fields that it does not know included, and "
           "policies that do not do what they say. Of Markdown (*.md, named by itself) the code "
           "blocks that say yaml or json are read, each as an input of its own.\n"
           "\n"
           "Each finding has its place, its rule and, where a few lines would mend it, the mended "
           "YAML. What the input cannot tell is not judged: without pods or workloads in it no "
           "selector is said to match none. Pods may stand there themselves, as kubectl get "
           "prints them, or as the templates of Deployments, StatefulSets, DaemonSets, "
           "ReplicaSets, Jobs and CronJobs.\n"
           "\n"
           "Exit status 0: clean, or warnings only. 1: a finding is an error, or with --strict a "
           "warning. 2: the command line is wrong or a file cannot be read.\n"
           "\n"
           "Nothing is compiled and no rampartd is asked; apply --dry-run does both. (Earlier "
           "versions did that here and had --offline for the rest.)\n",
       .call = "",
       .operands = {{"FILE", "a file, a directory, or - for the standard input", Word::kFile, true,
                     true}},
       .options = {{.name = "filename",
                    .letter = 'f',
                    .takes = Value::kRequired,
                    .value = "FILE",
                    .help = "the same as FILE, for those who are used to it; may be given again",
                    .word = Word::kFile,
                    .repeatable = true},
                   {.name = "output",
                    .letter = 'o',
                    .takes = Value::kRequired,
                    .value = "FORMAT",
                    .help = "table for people, json, or sarif for code hosts (SARIF 2.1.0)",
                    .choices = {"table", "json", "sarif"}},
                   {.name = "strict", .help = "warnings fail too"},
                   {.name = "ignore",
                    .takes = Value::kRequired,
                    .value = "RULE",
                    .help = "leave out the findings of this rule; may be given again",
                    .choices = rule_names(),
                    .repeatable = true},
                   {.name = "rules", .help = "list the rules, with a line of meaning each"}},
       .examples = {"rampartctl validate policies/",
                    "rampartctl validate --strict -o sarif deploy/ > rampart.sarif",
                    "rampartctl validate docs/network-policy.md"},
       .formats = {"table", "json", "sarif"},
       .run = run_validate,
       .appendix = rules_markdown},
      {.name = "snapshot",
       .summary = "print the desired state in force",
       .description = "Prints the accepted desired state as a v1 List that apply takes again. "
                      "Objects hold what "
                      "policy needs of them and no more. -o table lists kinds and names.\n",
       .call = "GET /v1/snapshot",
       .examples = {"rampartctl snapshot > before.json", "rampartctl apply -f before.json"},
       .formats = {"json", "table"},
       .run = run_snapshot},
      {.name = "status",
       .summary = "what is in force: revision, ports, workers, warnings",
       .description =
           "Shows the revision in force and what it holds, the settings, ports and workers, and "
           "standing warnings. QUEUES are those to receive and to send with; RSS says how the "
           "port spreads what it receives over them: by a symmetric function or a symmetric key, "
           "both directions of a flow come in at one worker. HANDED OVER counts packets that came "
           "in at another worker than their flow's.\n"
           "\n"
           "With --wait it returns when every worker uses REVISION or a later one. Exit status 0: "
           "they do. 1: not within --timeout (30 seconds unless given), or there is no rampartd "
           "to ask. 2: the command line is wrong.\n",
       .call = "GET /v1/status",
       .options = {{.name = "wait",
                    .takes = Value::kRequired,
                    .value = "REVISION",
                    .help = "wait until this revision or a later one is in force on every worker",
                    .word = Word::kNumber}},
       .examples = {"rampartctl status", "rampartctl status --wait 7 --timeout 5"},
       .run = run_status},
      {.name = "endpoints",
       .summary = "pods, their addresses and what isolates them",
       .description = "One line a pod. STATE is subject (policies apply), host-network (its "
                      "traffic is its node's), "
                      "finished or no-address. INGRESS and EGRESS name the policies that isolate "
                      "the pod in that "
                      "direction; - means that nothing does and everything is allowed. Pods of one "
                      "CLASS cannot be "
                      "told apart by any rule in force.\n",
       .call = "GET /v1/endpoints",
       .options = {kNamespace, {.name = "labels", .help = "show the labels of the pods too"}},
       .run = run_endpoints},
      {.name = "policies",
       .summary = "policies, what they select, what is wrong with them",
       .description =
           "One line a policy: the directions it isolates, how many pods it selects, its rules, "
           "and the rules they became in the classifier. NOTE says why a policy fails closed "
           "(isolates and allows nothing). Policies of kinds that are not enforced are listed "
           "after the table.\n",
       .call = "GET /v1/policies",
       .options = {kNamespace},
       .run = run_policies},
      {.name = "flows",
       .summary = "live flows: list them, or end some",
       .description =
           "One line a flow. OPENED BY is the end that sent the first packet; PACKETS and BYTES "
           "are its own, then those that came back. IDLE says how long the flow has been silent, "
           "EXPIRES after how much more silence it ends. In the STATE cut it is no longer "
           "allowed, and its next packet is answered with a reset (--on-cut reset). EGRESS RULE "
           "and INGRESS RULE are what admitted the flow; - means that nothing isolates that end, "
           "or that the rules were numbered anew and the flow has not been judged since. --wide "
           "adds the port on which it was opened, its VLAN tags, its worker and the revision it "
           "was judged under.\n"
           "\n"
           "Filters add up: a flow must fit all of them. --policy finds what one of its rules "
           "admitted, as the two columns name it.\n"
           "\n"
           "With --cut the flows that fit are ended, however many, on every worker. What comes "
           "next of such a connection is judged as if it had never been, and neither end is told: "
           "the middle of a TCP connection belongs to no flow and is dropped, but the connection "
           "may be opened again, and a UDP datagram opens it at once, if policy allows. To keep "
           "somebody out, change a policy.\n",
       .call = "GET /v1/flows; with --cut DELETE /v1/flows",
       .options = {{.name = "address",
                    .takes = Value::kRequired,
                    .value = "ADDRESS",
                    .help = "only flows from or to this address"},
                   {.name = "port",
                    .takes = Value::kRequired,
                    .value = "PORT",
                    .help = "only flows from or to this transport port",
                    .word = Word::kNumber},
                   {.name = "protocol",
                    .takes = Value::kRequired,
                    .value = "PROTOCOL",
                    .help = "TCP, UDP, SCTP, ICMP, ICMPv6 or a number"},
                   {.name = "state",
                    .takes = Value::kRequired,
                    .value = "STATE",
                    .help = "only flows in this state, such as established"},
                   {.name = "pod",
                    .takes = Value::kRequired,
                    .value = "NAMESPACE/POD",
                    .help = "only flows from or to this pod",
                    .word = Word::kPeer},
                   {.name = "policy",
                    .takes = Value::kRequired,
                    .value = "NAMESPACE/POLICY",
                    .help = "only flows that this policy admitted",
                    .word = Word::kPolicy},
                   {.name = "limit",
                    .takes = Value::kRequired,
                    .value = "COUNT",
                    .help = "at most so many; default 1000, at most 100000",
                    .word = Word::kNumber},
                   {.name = "wide", .letter = 'w', .help = "more columns"},
                   {.name = "cut", .help = "end the flows that fit, and say how many they were"},
                   {.name = "all", .help = "with --cut, in place of filters: every flow there is"}},
       .examples = {"rampartctl flows --address 10.0.1.7 --state established",
                    "rampartctl flows --cut --pod shop/frontend-0 --port 5432"},
       .run = run_flows},
      {.name = "stats",
       .summary = "packet and drop counters per port, worker and reason",
       .description = "Counters since the start of rampartd. A port's FORWARDED and DROPPED are "
                      "about the frames "
                      "that came in on it, SENT about those that left through it, so that for each "
                      "port RECEIVED + "
                      "ORIGINATED = FORWARDED + DROPPED + HELD. Only reasons that have dropped "
                      "something are listed.\n"
                      "\n"
                      "With --watch the counters are read again every SECONDS (default 2) and "
                      "shown with their "
                      "rates, until interrupted; with -o json as one line of JSON each time.\n",
       .call = "GET /v1/stats",
       .options = {{.name = "watch",
                    .letter = 'w',
                    .takes = Value::kOptional,
                    .value = "SECONDS",
                    .help = "again every SECONDS, with rates",
                    .word = Word::kNumber},
                   {.name = "count",
                    .takes = Value::kRequired,
                    .value = "TIMES",
                    .help = "with --watch: stop after so many readings",
                    .word = Word::kNumber}},
       .examples = {"rampartctl stats", "rampartctl stats --watch 1"},
       .run = run_stats},
      {.name = "reasons",
       .summary = "every reason for which a packet can be dropped",
       .description = "One line a reason: its name, as stats and the metrics count it, and what "
                      "it means.\n",
       .call = "GET /v1/reasons",
       .run = run_reasons},
      {.name = "explain",
       .summary = "would this connection be allowed, and which policies and rules say so",
       .description =
           "Asks the policies in force about a new connection. For each direction it says which "
           "policies isolate the pod, and which rule, peer and port admitted the connection; or "
           "that none did, and what came nearest: what of the connection or the pods would have "
           "to be otherwise. No packet is sent. The exit status is 0 for allowed and denied "
           "alike; with --exit-code it is 3 for denied.\n"
           "\n"
           "Of pods with several addresses the first two of one family are asked about. What "
           "becomes of the same connection between the others is told beside it: an ipBlock speaks "
           "of addresses, so they may differ.\n"
           "\n"
           "With --flows, or with a port at FROM as flows lists it, live flows of which such a "
           "packet would be one are shown too: an answer in an open connection passes though "
           "nothing would let it open one.\n"
           "\n"
           "With -f the same question is put to the objects in files, and no rampartd is needed. "
           "There the pod template of a workload can be asked about as NAMESPACE/deployment/NAME, "
           "and pods may lack an address; no ipBlock contains them then but those that contain "
           "everything.\n",
       .call = "GET /v1/explain",
       .operands = {{"FROM",
                     "who connects: NAMESPACE/POD or an address, ADDRESS:PORT for a live flow",
                     Word::kPeer},
                    {"TO", "to whom: NAMESPACE/POD or an address", Word::kPeer},
                    {"PROTO/PORT",
                     "TCP/80, UDP/53, SCTP/7777, or ICMP without a port, IP/47 for a protocol by "
                     "its number; 80/TCP will do too",
                     Word::kProtocolPort}},
       .options = {kFiles,
                   {.name = "flows", .help = "show live flows that such a packet would belong to"},
                   {.name = "exit-code", .help = "exit with 3 if the connection is denied"}},
       .examples = {"rampartctl explain shop/frontend-0 shop/db-0 TCP/5432",
                    "rampartctl explain 192.0.2.7 shop/frontend-0 TCP/443",
                    "rampartctl explain 10.0.1.7:40112 10.0.2.9:5432 TCP",
                    "rampartctl explain -f cluster.yaml shop/deployment/web shop/db-0 TCP/5432"},
       .run = run_explain},
      {.name = "matrix",
       .summary = "who can reach whom on which ports",
       .description =
           "Computes, for every pair, what a new connection may use by the policies in force, or "
           "with -f by the objects in files, for which no rampartd is needed. Pods that no policy "
           "tells apart are one kind; addresses outside of the cluster are cut where rules tell "
           "them apart. Namespaces are drawn together unless --expand or --kinds takes them "
           "apart; a ~ says that only some pairs of the two may use the ports.\n"
           "\n"
           "Not shown: that a pod reaches itself, and that it and its own node reach each other, "
           "which is always allowed.\n"
           "\n"
           "-o json has every kind, -o html is a page by itself with pictures of both. With -n "
           "only what goes from or to these namespaces is computed, so that clusters can be asked "
           "about that have too many kinds for all pairs of them; in "
           "-o json, `wanted` lists the kinds of these namespaces, and in `cells` the row of any "
           "other kind has entries for the wanted only.\n",
       .call = "GET /v1/snapshot",
       .options = {kFiles,
                   {.name = "namespace",
                    .letter = 'n',
                    .takes = Value::kRequired,
                    .value = "NAMESPACE",
                    .help = "only what goes from or to this namespace; may be given again",
                    .repeatable = true},
                   {.name = "expand",
                    .takes = Value::kRequired,
                    .value = "NAMESPACE",
                    .help = "show the kinds of pods of this namespace; may be given again",
                    .repeatable = true},
                   {.name = "kinds", .help = "show the kinds of pods of all namespaces"},
                   {.name = "output",
                    .letter = 'o',
                    .takes = Value::kRequired,
                    .value = "FORMAT",
                    .help = "table for people, json, or html: a page by itself",
                    .choices = {"table", "json", "html"}}},
       .examples = {"rampartctl matrix", "rampartctl matrix --expand shop -n shop",
                    "rampartctl matrix -f cluster.yaml -f policies/ -o html > matrix.html"},
       .formats = {"table", "json", "html"},
       .run = run_matrix},
      {.name = "diff",
       .summary = "what opens and closes between two sets of objects: needs no rampartd",
       .description =
           "Compares reachability, not text: another way to say the same, or a pod that another "
           "of its kind replaces, is no difference. A line says who may reach whom on which ports "
           "now (+) or no longer (-). Pods that are there before and after are compared by name, "
           "whatever has become of their labels; of a kind that comes or goes, all that it may "
           "reach and that may reach it opens or closes.\n"
           "\n"
           "Computed are only pairs that a change can concern (one of the two differs, the labels "
           "of its namespace, or a policy that selects it), so a small change can be compared in "
           "a cluster of any size: with 100,000 pods and 12,000 policies, one policy takes "
           "6 seconds and 730 MB, and 14 seconds as apply --dry-run.\n"
           "\n"
           "Files with policies alone say nothing about pods: with -f the objects that both sides "
           "share are added to each.\n"
           "\n"
           "Exit status as of diff: 0 nothing opens or closes, 1 something does, 2 trouble.\n",
       .call = "GET /v1/snapshot",
       .operands = {{"BEFORE",
                     "a file, a directory with all that is below it, - for the standard input, or "
                     "@running for what rampartd has in force",
                     Word::kFile},
                    {"AFTER", "the same", Word::kFile}},
       .options = {{.name = "filename",
                    .letter = 'f',
                    .takes = Value::kRequired,
                    .value = "FILE",
                    .help = "objects to add to both sides; may be given again",
                    .word = Word::kFile,
                    .repeatable = true}},
       .examples = {"rampartctl diff before.yaml after.yaml",
                    "rampartctl diff -f cluster.json old-policies/ policies/",
                    "kubectl get ns,pods,nodes,netpol -A -o json | rampartctl diff @running -"},
       .run = run_diff},
      {.name = "history",
       .summary = "the last revisions: when, by whom, what changed, what it cut",
       .description =
           "The newest first: who asked for it (the user and the process at the other end of the "
           "socket), the reason that was given with --reason, how many objects came (+), changed "
           "(~) and went (-), which policies, and how many live flows were cut because of it. "
           "Revisions in a row that change no policy are one line.\n"
           "\n"
           "rampartd remembers the last 100, also across restarts.\n",
       .call = "GET /v1/history",
       .options = {{.name = "limit",
                    .takes = Value::kRequired,
                    .value = "COUNT",
                    .help = "only the newest of them",
                    .word = Word::kNumber}},
       .run = run_history},
      {.name = "rollback",
       .summary = "put the policies of an earlier revision back",
       .description =
           "Makes a new revision with the policies that REVISION had. Pods, nodes and namespaces "
           "stay as they are: they are what the cluster says of itself, and a pod of then may "
           "have given its address to another one. To see what it would do first: rampartctl "
           "history, and apply --dry-run of a snapshot.\n",
       .call = "POST /v1/history/N/rollback",
       .operands = {{"REVISION", "as history shows it", Word::kNumber}},
       .options = {kReason},
       .examples = {"rampartctl rollback 7 --reason 'shop was cut off'"},
       .run = run_rollback},
      {.name = "metrics",
       .summary = "counters in Prometheus' text format",
       .description = "Prints what a Prometheus server would scrape.\n",
       .call = "GET /metrics",
       .formats = {"text"},
       .run = run_metrics},
      {.name = "reset-port",
       .summary = "recover a port as after a reset of its VF or PF",
       .description =
           "Stops the port, resets its device and starts it again. Frames for it are dropped "
           "meanwhile, as port_down.\n",
       .call = "POST /v1/ports/NAME/reset",
       .operands = {{"NAME", "the port's name, as status shows it", Word::kPort}},
       .run = run_reset_port},
      {.name = "completion",
       .summary = "print the completion script of a shell",
       .description = "Commands and options come from the script itself; names of ports, pods and "
                      "policies are asked of rampartd if it is there.\n",
       .call = "",
       .operands =
           {{"SHELL", "bash"},
            {"WORDS",
             "asked by the script itself: pods, policies or ports, after \"words\" as SHELL",
             Word::kAnything, true}},
       .examples = {"source <(rampartctl completion bash)",
                    "rampartctl completion bash > /etc/bash_completion.d/rampartctl"},
       .formats = {},
       .run = run_completion},
      {.name = "help",
       .summary = "help on rampartctl or one of its commands",
       .description = "Prints the list of commands, or the page of one.\n",
       .call = "",
       .operands = {{"COMMAND", "the command to explain", Word::kCommand, true}},
       .options = {{.name = "markdown", .help = "print the reference page of all commands"}},
       .formats = {},
       .run = run_help}};
  return commands;
}

}  // namespace rampart::ctl
