/**
 * `npm run sim:nodes`: the same seeds under several versions of Node must be the same runs. The
 * versions come from npm's `node` package, into .data/nodes/; which version really ran is asked of
 * the binary itself.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/ensure-built.mjs';

const HELP = `Runs the same seeds under several versions of Node and compares the digests of their traces.

  npm run sim:nodes                                    seeds 1..4, both profiles, Node 20, 22 and 24
  npm run sim:nodes -- --seeds 1..20 --profile table
  npm run sim:nodes -- --nodes 20,22,24,26

Exits 0 only if every digest is the same everywhere.`;

const root = fileURLToPath(new URL('../', import.meta.url));

function usage(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}

function flags() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string', default: '1..4' }, nodes: { type: 'string', default: '20,22,24' },
        profile: { type: 'string', multiple: true, default: ['table', 'full'] }, help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage(error.message);
  }
}

/** The path of a binary of this major version. */
function binaryOf(major) {
  const dir = join(root, '.data', 'nodes', major);
  const path = join(dir, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const version = () => (existsSync(path) ? spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() : undefined);
  if (version() === undefined) {
    mkdirSync(dir, { recursive: true });
    // A package.json of its own, or npm would install into the project.
    writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
    console.log(`installing Node ${major} into ${join('.data', 'nodes', major)} ...`);
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--foreground-scripts', '--ignore-scripts=false', `node@${major}`];
    const done = spawnSync('npm', args, { cwd: dir, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${done.stdout}${done.stderr}`);
  }
  const found = version();
  if (found === undefined || !found.startsWith(`v${major}.`)) throw new Error(`${path} is ${found ?? 'not there'}, not Node ${major}`);
  return { path, version: found };
}

/** What a range says as this binary runs it. */
function digestsOf(binary, seeds, profile) {
  return new Promise((resolve, reject) => {
    const args = [join(root, 'dist', 'cli', 'main.js'), 'sim', '--seeds', seeds, '--profile', profile, '--digests', '--json'];
    const child = spawn(binary.path, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (data) => (out += data));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0 && code !== 1) reject(new Error(`Node ${binary.version}: kintsugi sim ended with ${code}`));
      else resolve(JSON.parse(out));
    });
  });
}

const given = flags();
if (given.help) {
  console.log(HELP);
  process.exit(0);
}
const majors = given.nodes.split(',');
if (majors.some((major) => !/^\d+$/.test(major))) usage(`--nodes takes major versions such as 20,22,24, got ${given.nodes}`);

let different = 0;
let compared = 0;
try {
  ensureBuilt();
  const binaries = majors.map(binaryOf);
  for (const profile of given.profile) {
    const columns = [];
    for (const binary of binaries) {
      const ran = await digestsOf(binary, given.seeds, profile);
      if (ran.node !== binary.version) throw new Error(`the seeds ran under Node ${ran.node}, not ${binary.version}`);
      columns.push(ran.digests);
    }
    console.log(`\nprofile ${profile}\n${'seed'.padStart(8)}  ${binaries.map(({ version }) => version.padEnd(16)).join('  ')}`);
    for (const seed of Object.keys(columns[0])) {
      const digests = columns.map((column) => column[seed] ?? '-');
      const same = digests.every((digest) => digest === digests[0] && digest.length === 16);
      compared++;
      if (!same) different++;
      console.log(`${seed.padStart(8)}  ${digests.map((digest) => digest.padEnd(16)).join('  ')}${same ? '' : '  NOT the same'}`);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
const verdict = different === 0 ? 'PASS' : 'FAIL';
console.log(`\n${verdict} ${compared - different} of ${compared} traces are the same under Node ${majors.join(', ')}`);
process.exit(different === 0 && compared > 0 ? 0 : 1);
