import assert from 'node:assert/strict';
import { COMMANDS } from './commands.js';
import { FakeIo } from './testing/fake-io.js';

const FLAG = /(?<![\w-])--?[a-z][a-z-]*/g;

/** Of what a command can do in turn; `help` is no command of ours. */
function commandsIn(help: string): string[] {
  const section = /^Commands:\n((?: .*\n)+)/m.exec(help)?.[1] ?? '';
  return [...section.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name as string).filter((name) => name !== 'help');
}

/** Of several lines, after a title. */
const EXAMPLES = /^Examples:\n((?: {2}.*\n)+)/m;

/** Lines, those that end with a backslash joined with the next. */
function examplesIn(help: string): string[] {
  const block = EXAMPLES.exec(help)?.[1] ?? '';
  return block.replaceAll(/\\\n\s*/g, '').split('\n').map((line) => line.trim()).filter((line) => line !== '');
}

async function helpOf(words: readonly string[]): Promise<string> {
  const [name, ...rest] = words as [string, ...string[]];
  const command = COMMANDS[name];
  assert.ok(command);
  const io = new FakeIo();
  const code = await (await command.load())([...rest, '--help'], io);
  assert.equal(code, 0, `kintsugi ${words.join(' ')} --help: ${io.errors}`);
  return io.text;
}

/** Every command with its help, groups and what is in them. */
async function all(): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  const left: string[][] = Object.keys(COMMANDS).map((name) => [name]);
  for (let words = left.shift(); words !== undefined; words = left.shift()) {
    const help = await helpOf(words);
    out.set(words.join(' '), help);
    for (const name of commandsIn(help)) left.push([...words, name]);
  }
  return out;
}

describe('--help of every command', function () {
  this.timeout(30_000);
  let helps: Map<string, string>;
  before(async () => (helps = await all()));

  it('there are as many as the documents speak of', () => {
    for (const name of ['start', 'ctl get', 'ctl member replace', 'ctl heal verify', 'ctl alarm disarm', 'inspect log', 'snapshot verify', 'restore', 'recover']) {
      assert.ok(helps.has(name), name);
    }
    assert.ok(helps.size >= 38, [...helps.keys()].join(', '));
  });

  it('says how it is used and what it does, in lines that fit a screen', () => {
    for (const [name, help] of helps) {
      assert.match(help, /^Usage: kintsugi /, name);
      const long = help.split('\n').find((line) => [...line].length > 140);
      assert.equal(long, undefined, `${name}: ${long}`);
    }
  });

  it('has examples of this very command', () => {
    for (const [name, help] of helps) {
      const examples = examplesIn(help);
      assert.ok(examples.length > 0, `kintsugi ${name} --help has no examples`);
      const mine = examples.filter((line) => line.replaceAll(/ --?[a-z][^ ]*(?: [\d.:,]+)?/g, '').includes(`kintsugi ${name}`));
      assert.ok(mine.length > 0, `kintsugi ${name}: ${examples.join('\n')}`);
    }
  });

  it('has no example with a flag that the command does not have', () => {
    for (const [name, help] of helps) {
      const [group] = name.split(' ') as [string];
      const below = [...helps].filter(([other]) => other === group || other === name || other.startsWith(`${name} `));
      // recover passes on what start takes.
      if (name === 'recover') below.push(['start', helps.get('start') ?? '']);
      const known = below.map(([, text]) => text.replace(EXAMPLES, '')).join('\n');
      for (const example of examplesIn(help)) {
        const [own] = example.split(/ {3,}|\s#/) as [string];
        for (const part of own.split('|').filter((command) => command.includes(`kintsugi ${group}`))) {
          for (const [flag] of part.matchAll(FLAG)) assert.ok(known.includes(flag), `kintsugi ${name}: ${flag} in ${example}`);
        }
      }
    }
  });
});
