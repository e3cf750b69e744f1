/**
 * Do the sources with the edits of a canary still type-check? Canaries that change different files
 * share one program.
 */

import { join } from 'node:path';
import ts from 'typescript';
import { CanaryError, edited, filesOf, type Planted } from './canary.js';
import { compilerOptions, ROOT, sourceOf } from './mutant.js';

interface Batch {
  readonly canaries: Planted[];
  /** By absolute path. */
  readonly sources: Map<string, string>;
}

const pathOf = (file: string): string => join(ROOT, 'src', file);

function batches(canaries: readonly Planted[]): Batch[] {
  const out: Batch[] = [];
  for (const canary of canaries) {
    const files = filesOf(canary);
    let batch = out.find(({ sources }) => files.every((file) => !sources.has(pathOf(file))));
    if (batch === undefined) out.push((batch = { canaries: [], sources: new Map() }));
    batch.canaries.push(canary);
    for (const file of files) batch.sources.set(pathOf(file), edited(canary, file, sourceOf(file)));
  }
  return out;
}

/**
 * What is wrong, with the names of the canaries; empty: nothing. Throws CanaryError for an edit
 * that does not fit.
 */
export function typeErrors(canaries: readonly Planted[]): string[] {
  const options = { ...compilerOptions(), noEmit: true, incremental: false };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  const unchanged = new Map<string, ts.SourceFile | undefined>();
  const errors: string[] = [];
  for (const { canaries: together, sources } of batches(canaries)) {
    host.getSourceFile = (path, settings, ...rest) => {
      const source = sources.get(path);
      if (source !== undefined) return ts.createSourceFile(path, source, settings);
      if (!unchanged.has(path)) unchanged.set(path, read(path, settings, ...rest));
      return unchanged.get(path);
    };
    const program = ts.createProgram([...sources.keys()], options, host);
    for (const path of sources.keys()) {
      const file = program.getSourceFile(path);
      if (file === undefined) throw new CanaryError(`${path} is not part of the program`);
      const owner = together.find((canary) => filesOf(canary).some((each) => pathOf(each) === path));
      for (const found of [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]) {
        errors.push(`canary ${owner?.name}: ${path}: ${ts.flattenDiagnosticMessageText(found.messageText, '\n')}`);
      }
    }
  }
  return errors;
}
