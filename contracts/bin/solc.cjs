// The `solc --version` and `solc --standard-json` command lines on top of npm's solc, so that forge builds
// offline with a pinned compiler on any architecture that runs Node.
const fs = require('fs');
const path = require('path');
const solc = require('solc');

const args = process.argv.slice(2);

if (args.includes('--version')) {
  // forge parses the platform tag of a native build.
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else if (args.includes('--standard-json')) {
  const roots = ['.'];
  args.forEach((value, i) => {
    if (['--base-path', '--include-path'].includes(args[i - 1])) roots.push(value);
  });
  const readImport = (name) => {
    for (const root of roots.concat('/')) {
      const file = path.resolve(root, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, 'utf8') };
    }
    return { error: `File not found: ${name}` };
  };
  fs.writeFileSync(1, solc.compile(fs.readFileSync(0, 'utf8'), { import: readImport }));
} else {
  console.error('solc: only --version and --standard-json are supported by this wrapper');
  process.exit(2);
}
