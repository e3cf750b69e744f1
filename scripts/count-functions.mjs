#!/usr/bin/env node
/**
 * `npm run functions`: counts the members of interfaces and type literals that are functions.
 * Options full of callbacks are how rooms get tied together behind the back of the import rules.
 * What many rooms ask for is a small state object with few writers and many readers instead; a
 * function is left only where a lower floor or room must call a higher one.
 *
 * Looked at: src, without sim, cli, tests and folders named testing. A member counts if it is a
 * method, or its type is a function: also when optional, one of a union, an element of a list or
 * record, or behind an alias (the type checker looks, so that names do not help). It does not count
 *   - if its interface is implemented by a class that ships (`implements X`) and is not named like
 *     a bag,
 *   - if no other file can meet it: neither exported nor part of anything that is (a list of
 *     waiters).
 * `npm run functions -- --all` lists the members by name.
 */

import { dirname, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** May only fall. Whoever gets below it lowers it. */
const LIMIT = 25;
/** How far below the limit the number may be before it must be lowered. */
const SLACK = 3;

/** What is named so is a bag of callbacks, implemented by a class or not. */
const BAGS = /(?:Options|Parts|Host|Sinks|Sources|Source|Hooks|Context|Input|Config|Rules)$/;

/**
 * The seams to the outer world: one interface each for clock, disk, network and events, and every
 * shell has its own.
 */
const SEAMS = new Set(['src/base/env.ts', 'src/base/disk.ts', 'src/base/events.ts']);

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const ships = (path) =>
  /^src\/(?!sim\/|cli\/)/.test(path) && path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.includes('/testing/');

function load() {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  const own = fileNames.filter((name) => ships(relative(process.cwd(), name)));
  const program = ts.createProgram(own, options);
  const files = program.getSourceFiles().filter((file) => ships(relative(process.cwd(), file.fileName)));
  return { checker: program.getTypeChecker(), files };
}

/** Calls `visit` for the node and all below it. */
function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/**
 * Symbols of all interfaces and aliases that a class implements, those that they extend included.
 */
function implementedIn({ checker, files }) {
  const found = new Set();
  const add = (expression) => {
    let symbol = checker.getSymbolAtLocation(expression);
    if (symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0) symbol = checker.getAliasedSymbol(symbol);
    if (symbol === undefined || found.has(symbol)) return;
    found.add(symbol);
    for (const declaration of symbol.declarations ?? []) {
      if (!ts.isInterfaceDeclaration(declaration)) continue;
      for (const clause of declaration.heritageClauses ?? []) for (const type of clause.types) add(type.expression);
    }
  };
  for (const file of files) {
    walk(file, (node) => {
      if (!ts.isClassLike(node)) return;
      for (const clause of node.heritageClauses ?? []) {
        if (clause.token === ts.SyntaxKind.ImplementsKeyword) for (const type of clause.types) add(type.expression);
      }
    });
  }
  return found;
}

/** Is it a function, or a union, list, map or record of some? */
function isFunction(checker, type, depth = 0) {
  if (depth > 3) return false;
  if (type.isUnionOrIntersection()) return type.types.some((part) => isFunction(checker, part, depth));
  if (type.getCallSignatures().length > 0) return true;
  const inside = [...checker.getIndexInfosOfType(type)].filter((info) => info.keyType.flags & ts.TypeFlags.String).map((info) => info.type);
  const container = checker.isArrayType(type) || checker.isTupleType(type) || /^(?:Readonly)?(?:Map|Set)$/.test(type.symbol?.name ?? '');
  if (container) inside.push(...checker.getTypeArguments(type));
  return inside.some((part) => isFunction(checker, part, depth + 1));
}

/** What a type literal is called: the alias, member or parameter that it stands at. */
function nameOf(node) {
  if (ts.isInterfaceDeclaration(node)) return node.name.text;
  const path = [];
  for (let at = node.parent; at !== undefined && !ts.isSourceFile(at) && !ts.isBlock(at); at = at.parent) {
    if (at.name !== undefined && at.name.getText !== undefined) path.unshift(at.name.getText());
    if (ts.isTypeAliasDeclaration(at) || ts.isInterfaceDeclaration(at) || ts.isClassDeclaration(at)) break;
  }
  return `${path.join('.')} {}`;
}

/**
 * The alias that stands directly for this type literal, maybe through `Readonly<...>`: it may be
 * implemented like an interface.
 */
function aliasOf(node) {
  let at = node.parent;
  while (ts.isParenthesizedTypeNode(at) || ts.isTypeReferenceNode(at)) at = at.parent;
  return ts.isTypeAliasDeclaration(at) ? at : undefined;
}

const isExported = (node) => (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) !== 0;
const isHidden = (member) =>
  (member.name !== undefined && ts.isPrivateIdentifier(member.name)) || (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;

/**
 * The interfaces and type literals of a file that others can meet: exported, or named in the types
 * of what is.
 */
function inSight(checker, file) {
  const seen = new Set();
  const look = (node) => {
    if (node === undefined || seen.has(node)) return;
    seen.add(node);
    if (ts.isBlock(node) || (ts.isClassElement(node) && isHidden(node))) return;
    if (ts.isIdentifier(node)) {
      for (const declaration of checker.getSymbolAtLocation(node)?.declarations ?? []) {
        const isType = ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration) || ts.isClassDeclaration(declaration);
        if (isType && declaration.getSourceFile() === file) look(declaration);
      }
    }
    // What a variable or field is set to says nothing of its type, unless it is a function.
    const value = node.initializer;
    ts.forEachChild(node, (child) => {
      if (child !== value || ts.isFunctionLike(child)) look(child);
    });
  };
  for (const statement of file.statements) {
    if (isExported(statement)) look(statement);
    if (ts.isVariableStatement(statement) && statement.modifiers?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword)) look(statement);
    if (ts.isExportDeclaration(statement) && statement.exportClause !== undefined) {
      for (const name of statement.exportClause.elements ?? []) look(name.propertyName ?? name.name);
    }
  }
  return seen;
}

function functionMembers({ checker, files }) {
  const implemented = implementedIn({ checker, files });
  const rows = [];
  for (const file of files) {
    const path = relative(process.cwd(), file.fileName);
    if (SEAMS.has(path)) continue;
    const visible = inSight(checker, file);
    walk(file, (node) => {
      if (!visible.has(node) || (!ts.isInterfaceDeclaration(node) && !ts.isTypeLiteralNode(node))) return;
      const declared = ts.isInterfaceDeclaration(node) ? node : aliasOf(node);
      const symbol = declared === undefined ? undefined : checker.getSymbolAtLocation(declared.name);
      if (symbol !== undefined && implemented.has(symbol) && !BAGS.test(declared.name.text)) return;
      const members = node.members
        .filter((member) => ts.isMethodSignature(member) || (ts.isPropertySignature(member) && isFunction(checker, checker.getTypeAtLocation(member))))
        .map((member) => member.name.getText());
      if (members.length > 0) rows.push({ path, name: nameOf(node), members: [...new Set(members)] });
    });
  }
  return rows;
}

/** Not counted, but printed: the two places where callbacks could hide from the count. */
function elsewhere({ checker, files }) {
  const found = { parameters: 0, fields: 0 };
  for (const file of files) {
    walk(file, (node) => {
      if (ts.isConstructorDeclaration(node)) {
        found.parameters += node.parameters.filter((parameter) => isFunction(checker, checker.getTypeAtLocation(parameter))).length;
      }
      if (!ts.isPropertyDeclaration(node) || ts.isPrivateIdentifier(node.name) || node.type === undefined) return;
      const modifiers = ts.getCombinedModifierFlags(node);
      if ((modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Readonly)) !== 0) return;
      if (isFunction(checker, checker.getTypeAtLocation(node))) found.fields++;
    });
  }
  return found;
}

const project = load();
const rows = functionMembers(project).sort((a, b) => b.members.length - a.members.length || (a.path < b.path ? -1 : 1));
const total = rows.reduce((sum, row) => sum + row.members.length, 0);
const byFolder = new Map();
for (const row of rows) {
  const folder = row.path.split('/')[1];
  byFolder.set(folder, (byFolder.get(folder) ?? 0) + row.members.length);
}
const wide = Math.max(...rows.map((row) => row.path.length));
const names = process.argv.includes('--all');
for (const row of rows) {
  const members = names ? `  ${row.members.join(' ')}` : '';
  console.log(`${String(row.members.length).padStart(4)}  ${row.path.padEnd(wide)}  ${row.name}${members}`);
}
console.log(`\n${[...byFolder].map(([folder, count]) => `${folder} ${count}`).join(', ')}`);
const { parameters, fields } = elsewhere(project);
console.log(`not counted: ${parameters} function parameters of constructors, ${fields} fields that others may set to a function`);
console.log(`${total} function members in ${rows.length} interfaces; the limit is ${LIMIT}`);
if (total > LIMIT) console.error(`too many: ${total} > ${LIMIT}; hand on a state object, or implement the interface in a class`);
else if (total < LIMIT - SLACK) console.error(`well done: lower LIMIT in scripts/count-functions.mjs from ${LIMIT} to ${total}`);
process.exit(total > LIMIT || total < LIMIT - SLACK ? 1 : 0);
