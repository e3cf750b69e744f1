/**
 * A built copy of the store with the changes of one canary, in .data/canaries/<process
 * id>/<name>/dist: what was built, except the changed files, which are compiled here. A copy and
 * not links: a build that goes on meanwhile writes into its files.
 */

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { CanaryError, edited, filesOf, type Canary } from './canary.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SRC = join(ROOT, 'src');
const DIST = join(ROOT, 'dist');
/** Of this process alone: several may hunt at a time. */
const OUT = join(ROOT, '.data', 'canaries', String(process.pid));

/** What runs in a simulation: a change elsewhere changes no run. */
const SIMULATED = ['base', 'raft', 'ecc', 'api', 'checker', 'storage', 'replica', 'healing', 'node', 'sim'];

export function sourceOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8');
}

export function compilerOptions(): ts.CompilerOptions {
  const path = join(ROOT, 'tsconfig.build.json');
  const { config, error } = ts.readConfigFile(path, (name) => ts.sys.readFile(name));
  if (error !== undefined) throw new CanaryError(ts.flattenDiagnosticMessageText(error.messageText, '\n'));
  return ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options;
}

/** Throws CanaryError for a syntax error. */
export function transpiled(file: string, source: string, options: ts.CompilerOptions): string {
  // Alone, a file cannot see that its package is made of ES modules.
  const es = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
  const alone = { ...options, ...es, sourceMap: false, declaration: false };
  const asked = { compilerOptions: alone, fileName: join(SRC, file), reportDiagnostics: true };
  const { outputText, diagnostics = [] } = ts.transpileModule(source, asked);
  const [first] = diagnostics;
  if (first !== undefined) throw new CanaryError(`src/${file}: ${ts.flattenDiagnosticMessageText(first.messageText, '\n')}`);
  return outputText;
}

function builtFiles(): string[] {
  return readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => relative(DIST, join(entry.parentPath, entry.name)))
    .sort();
}

/** Of all that decides how a run goes. */
export function buildDigest(): string {
  const hash = createHash('sha256');
  for (const file of builtFiles()) {
    if (SIMULATED.includes(file.split('/')[0] ?? '')) hash.update(file).update('\0').update(readFileSync(join(DIST, file))).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Of what was made for one of them, and no other. */
export function copyDir(name: string): string {
  return join(OUT, name);
}

function plainCopy(name: string): string {
  const dir = join(copyDir(name), 'dist');
  rmSync(dir, { recursive: true, force: true });
  for (const file of builtFiles()) {
    mkdirSync(join(dir, file, '..'), { recursive: true });
    copyFileSync(join(DIST, file), join(dir, file));
  }
  return dir;
}

export function dropCopies(): void {
  rmSync(OUT, { recursive: true, force: true });
}

/** The store as it is, out of reach of later builds. */
export function makeSound(): string {
  return plainCopy('sound');
}

/**
 * Throws CanaryError if an edit does not fit, changes nothing, or dist/ was not made from the
 * present sources.
 */
export function makeMutant(canary: Canary): string {
  const options = compilerOptions();
  const dir = plainCopy(canary.name);
  for (const file of filesOf(canary)) {
    const js = join(dir, file.replace(/\.ts$/, '.js'));
    const source = sourceOf(file);
    const sound = transpiled(file, source, options);
    if (sound.trim() !== withoutMap(readFileSync(js, 'utf8'))) throw new CanaryError(`dist/ was not built from the present src/${file}: npm run build`);
    const mutated = transpiled(file, edited(canary, file, source), options);
    if (mutated === sound) throw new CanaryError(`canary ${canary.name}: the edits of src/${file} change nothing`);
    writeFileSync(js, mutated);
  }
  return dir;
}

function withoutMap(js: string): string {
  return js.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '').trim();
}

/** A module of a built copy. */
export async function load<T>(dist: string, module: string): Promise<T> {
  return (await import(pathToFileURL(join(dist, module)).href)) as T;
}
