/**
 * ESLint over all files. Half of what its rules do is to find the types of expressions, so with
 * `--types` the compiler is asked first, in the same program: what it has found is there for the
 * rules, and `tsc -p .` beside it would find it once more.
 */

import process from 'node:process';
import { ESLint } from 'eslint';
import ts from 'typescript';

const host = {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
    throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
  },
};
const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile('tsconfig.json', {}, host);
const program = ts.createProgram({ rootNames: fileNames, options, configFileParsingDiagnostics: errors });
const wrong = process.argv.includes('--types') ? ts.getPreEmitDiagnostics(program) : [];
console.log(ts.formatDiagnostics(wrong, { getCurrentDirectory: () => process.cwd(), getCanonicalFileName: (name) => name, getNewLine: () => '\n' }));

const parserOptions = { projectService: false, programs: [program] };
const eslint = new ESLint({ overrideConfig: { languageOptions: { parserOptions } } });
const results = await eslint.lintFiles(['.']);
console.log(await (await eslint.loadFormatter('stylish')).format(results));
const clean = results.every(({ errorCount, warningCount }) => errorCount + warningCount === 0);
process.exit(wrong.length === 0 && clean ? 0 : 1);
