const { existsSync } = require('node:fs')
const path = require('node:path')

/**
 * Our own files name each other as they will be called when they are compiled. Jest remembers what it is told here, whereas a
 * moduleNameMapper would look for the file again with each import of each suite.
 */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.js$/.test(request) && !options.basedir.includes('/node_modules/')) {
    const source = path.resolve(options.basedir, request.replace(/js$/, 'ts'))
    if (existsSync(source)) return source
  }
  return options.defaultResolver(request, options)
}
