import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { startPhotoApp } from './photo-app/index.js'
import { demoUsers } from './photo-app/users.js'
import { startPrintShop } from './print-shop/index.js'

const photoAppPort = Number(process.env.PORT ?? 3000)
const printShopPort = Number(process.env.PRINT_SHOP_PORT ?? 3001)
// All that the two apps have in common: the secret that the print shop got when it registered with the photo app.
const clientSecret = randomBytes(32).toString('base64url')

try {
  const photoApp = await startPhotoApp({
    port: photoAppPort,
    store: path.join(import.meta.dirname, 'oauth.db'),
    printShop: { url: `http://localhost:${printShopPort}`, clientSecret },
  })
  const printShop = await startPrintShop({ port: printShopPort, photoAppUrl: photoApp.url, clientSecret })

  process.once('SIGINT', async () => {
    await printShop.close()
    await photoApp.close()
  })

  console.log(`
  Photo app   ${photoApp.url}   has users, their photos and an API, and is the OpenID provider
  Print shop  ${printShop.url}   is somebody else's app: its customers sign in with the photo app and let it see their photos

  Open ${printShop.url} and press "Sign in with Daylight Photos".
  Sign in as ${demoUsers.map(({ email, password }) => `${email}, password ${password}`).join('\n          or ')}
  "Your apps" in the photo app is where its users register apps of their own; "Administration" is for Alice alone.
  Then sign out, at either of the two: you are signed out at both.
`)
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
  console.error(`${(error as Error).message}\nChoose other ports: PORT=4000 PRINT_SHOP_PORT=4001 npm start`)
  process.exit(1)
}
