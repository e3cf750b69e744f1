/**
 * What a transcript can say. Nodes are numbers, lists have commas and no spaces.
 *
 *     given 1 terms=1,1,2 [commit=2]     node 1 has a log already (before `group`)
 *     group 1 2 3 [learners=4] [seed=1] [pre-vote=off] [check-quorum=off] [reads=lease]
 *     join 4 voters=1,2,3 [learners=4]   a new node with an empty log
 *
 *     tick 1 [times]                     time passes for one node
 *     timeout 1                          ... until it has something to do
 *     campaign 1                         it starts an election now
 *     propose 1 a b                      two entries in one proposal
 *     change 1 add=4 remove=3 learn=5 [transition=explicit]; change 1 leave
 *     transfer 1 2                       node 1 is asked to hand leadership to node 2
 *     read 1 name                        node 1 asks for a read index
 *
 *     ready 1                            node 1 does what one Ready asks for
 *     deliver [from=1] [to=2] [type=MsgApp]; lose, with the same filters
 *     settle [quiet]                     readies and deliveries until nobody has anything to do
 *     elect 1                            campaign and settle, told in one line
 *
 *     cut 1 [2 3]; heal                  node 1 and these (or all others) do not hear each other
 *     crash 1; restart 1                 what was not written is lost
 *     compact 1 5                        a snapshot takes the place of the log through 5
 *     report 1 2 unreachable             or snapshot-arrived, snapshot-failed
 *     log [1 2]; status [1 2]            what they have
 */

import { utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { ConfChange, ConfChangeSingle, ConfChangeType } from '../types.js';
import type { MessageFilter } from './recorded-group.js';
import type { Args } from './transcript-args.js';
import { startingLog, type Stage } from './transcript-stage.js';
import { configText, entryText, statusLines } from './transcript-words.js';

/** More ticks than any election timeout. */
const MANY_TICKS = 1000;

const CHANGE_TYPES = new Map<string, ConfChangeType>([
  ['add', 'addVoter'],
  ['learn', 'addLearner'],
  ['remove', 'remove'],
  ['update', 'update'],
]);

type Command = (stage: Stage, args: Args) => void;

const COMMANDS = new Map<string, Command>(
  Object.entries({
    given, group, join, tick, timeout, campaign, propose, change, transfer, read,
    ready, deliver, lose, settle, elect, cut, heal, crash, restart, compact, report, log, status,
  }),
);

/** Throws TranscriptError. Returns what the command puts out. */
export function runCommand(stage: Stage, args: Args): string[] {
  const command = COMMANDS.get(args.command);
  if (command === undefined) args.fail('there is no such command');
  command(stage, args);
  return stage.take();
}

// --- Who there is ---

function given(stage: Stage, args: Args): void {
  if (stage.isOpen) args.fail('comes before the group');
  const id = args.node();
  const terms = args.numbers(args.option('terms') ?? args.fail('terms are missing'), 'a term');
  const commit = args.numberOption('commit') ?? 0;
  args.end();
  stage.give(id, { terms, commit });
}

function group(stage: Stage, args: Args): void {
  if (stage.isOpen) args.fail('there is a group already');
  const voters = args.nodes();
  if (voters.length === 0) args.fail('a group has voters');
  const learners = args.numbers(args.option('learners') ?? '', 'a learner');
  const random = seededRandom(args.numberOption('seed') ?? 1);
  const preVote = args.oneOf('pre-vote', ['on', 'off'], 'on') === 'on';
  const checkQuorum = args.oneOf('check-quorum', ['on', 'off'], 'on') === 'on';
  const readOnly = args.oneOf('reads', ['safe', 'lease'], 'safe') === 'safe' ? 'safe' : 'leaseBased';
  args.end();
  stage.open([...voters, ...learners], { voters, learners }, { random, preVote, checkQuorum, readOnly });
  const [first] = stage.group(args).members.values();
  if (first !== undefined) stage.group(args).say(configText(first.node.config));
}

function join(stage: Stage, args: Args): void {
  const id = args.node();
  const voters = args.numbers(args.option('voters') ?? args.fail('voters are missing'), 'a voter');
  const learners = args.numbers(args.option('learners') ?? '', 'a learner');
  args.end();
  if (stage.group(args).members.has(id)) args.fail(`there is a node ${id} already`);
  stage.group(args).add(id, startingLog({ voters, learners }));
  stage.group(args).say(`${id} starts with an empty log`);
}

// --- Input ---

function tick(stage: Stage, args: Args): void {
  const { node } = stage.running(args);
  const times = args.optionalWord();
  args.end();
  const count = times === undefined ? 1 : args.number(times, 'how often');
  for (let i = 0; i < count; i++) node.tick();
}

function timeout(stage: Stage, args: Args): void {
  const { node, id } = stage.running(args);
  args.end();
  if (node.hasReady()) args.fail(`node ${id} has something to do already`);
  let ticks = 0;
  while (!node.hasReady() && ticks < MANY_TICKS) {
    node.tick();
    ticks++;
  }
  if (!node.hasReady()) args.fail(`node ${id} does nothing in ${ticks} ticks`);
  stage.group(args).say(`${id} waits ${ticks} ticks`);
}

function campaign(stage: Stage, args: Args): void {
  const { node, id } = stage.running(args);
  args.end();
  const { role, term } = node;
  node.campaign();
  if (node.role === role && node.term === term) stage.group(args).say(`${id} does not campaign`);
}

function propose(stage: Stage, args: Args): void {
  const member = stage.running(args);
  const datas = args.words().map((word) => utf8(word));
  args.end();
  if (datas.length === 0) args.fail('nothing is proposed');
  trying(stage, args, () => member.node.proposeEntries(datas));
}

function change(stage: Stage, args: Args): void {
  const member = stage.running(args);
  const leave = args.optionalWord();
  if (leave !== undefined && leave !== 'leave') args.fail(`"${leave}" is no change`);
  const transition = args.oneOf<ConfChange['transition']>('transition', ['auto', 'implicit', 'explicit'], 'auto');
  const changes: ConfChangeSingle[] = args.options().flatMap(([key, value]) => {
    const type = CHANGE_TYPES.get(key) ?? args.fail(`there is no option ${key}`);
    return args.numbers(value, 'a node').map((nodeId) => ({ type, nodeId }));
  });
  args.end();
  if ((leave === undefined) === (changes.length === 0)) args.fail('either something changes, or `leave`');
  trying(stage, args, () => member.node.proposeConfChange({ transition, changes }));
}

/** A proposal that is refused is part of the story. */
function trying(stage: Stage, args: Args, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (codeOf(error) !== 'PROPOSAL_DROPPED') throw error;
    stage.group(args).say((error as Error).message);
  }
}

function transfer(stage: Stage, args: Args): void {
  const { node } = stage.running(args);
  const to = args.node('the next leader');
  args.end();
  node.transferLeader(to);
}

function read(stage: Stage, args: Args): void {
  const { node, id } = stage.running(args);
  const name = args.word('a name');
  args.end();
  if (!node.readIndex(utf8(name))) stage.group(args).say(`${id} cannot ask for ${name} now`);
}

// --- Readies and messages ---

function ready(stage: Stage, args: Args): void {
  const { id } = stage.running(args);
  args.end();
  if (!stage.group(args).pump(id)) args.fail(`node ${id} has nothing to do`);
}

function filterOf(args: Args): MessageFilter {
  const filter = { from: args.numberOption('from'), to: args.numberOption('to'), type: args.option('type') };
  args.end();
  return filter;
}

function deliver(stage: Stage, args: Args): void {
  if (stage.group(args).deliverMatching(filterOf(args)) === 0) args.fail('no such message is on its way');
}

function lose(stage: Stage, args: Args): void {
  if (stage.group(args).loseMatching(filterOf(args)) === 0) args.fail('no such message is on its way');
}

function settle(stage: Stage, args: Args): void {
  const how = args.optionalWord();
  if (how !== undefined && how !== 'quiet') args.fail(`"${how}" is no way to settle`);
  args.end();
  const recorded = stage.group(args);
  const before = recorded.take();
  recorded.settle();
  if (how === 'quiet') recorded.take();
  else before.push(...recorded.take());
  for (const line of before) recorded.say(line);
}

function elect(stage: Stage, args: Args): void {
  const { id, node } = stage.running(args);
  args.end();
  const recorded = stage.group(args);
  node.campaign();
  recorded.settle();
  recorded.take();
  if (!node.isLeader) args.fail(`node ${id} does not win`);
  recorded.say(`${id} leads term ${node.term}`);
}

// --- Faults ---

function cut(stage: Stage, args: Args): void {
  const { id } = stage.member(args);
  const named = args.nodes();
  args.end();
  const recorded = stage.group(args);
  const others = named.length > 0 ? named : [...recorded.members.keys()];
  for (const other of others) if (other !== id) recorded.cut(id, other);
  recorded.say(`no link between ${id} and ${others.filter((other) => other !== id).join(' ')}`);
}

function heal(stage: Stage, args: Args): void {
  args.end();
  stage.group(args).heal();
  stage.group(args).say('all links work');
}

function crash(stage: Stage, args: Args): void {
  const { id } = stage.running(args);
  args.end();
  stage.group(args).crash(id);
  stage.group(args).say(`${id} is down`);
}

function restart(stage: Stage, args: Args): void {
  const { id, storage } = stage.member(args);
  args.end();
  stage.group(args).restart(id);
  const { term, vote, commit } = storage.hardState;
  stage.group(args).say(`${id} starts with term ${term}, vote ${vote}, commit ${commit}`);
}

function compact(stage: Stage, args: Args): void {
  const { id, node, storage } = stage.running(args);
  const index = args.number(args.word('an index'), 'an index');
  args.end();
  if (index > node.applied || index < storage.firstIndex()) args.fail(`node ${id} has not applied ${index}, or compacted it`);
  storage.compact(index);
  stage.group(args).say(`${id} has a snapshot at ${index} in place of the log through ${index}`);
}

function report(stage: Stage, args: Args): void {
  const { node } = stage.running(args);
  const about = args.node('whom it is about');
  const what = args.word('what is reported');
  args.end();
  if (what === 'unreachable') node.reportUnreachable(about);
  else if (what === 'snapshot-arrived' || what === 'snapshot-failed') node.reportSnapshot(about, what === 'snapshot-arrived');
  else args.fail(`"${what}" is nothing to report`);
}

// --- What they have ---

function log(stage: Stage, args: Args): void {
  const members = stage.members(args);
  args.end();
  for (const { id, storage } of members) {
    const before = storage.firstIndex() > 1 ? [`snapshot ${storage.firstIndex() - 1}`] : [];
    const all = [...before, ...storage.all.map(entryText)];
    stage.group(args).say(`${id} has ${all.length === 0 ? 'nothing' : all.join(', ')}; commit ${storage.hardState.commit}`);
  }
}

function status(stage: Stage, args: Args): void {
  const members = stage.members(args);
  args.end();
  for (const { node } of members) for (const line of statusLines(node.status())) stage.group(args).say(line);
}
