import type { RequestListener } from 'node:http'

export const printShop: {
  client_id: string
  client_secret: string
  client_name: string
  redirect_uris: string[]
}
export function connectPrintShop(build: (origin: string) => RequestListener): Promise<unknown>
