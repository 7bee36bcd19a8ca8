import { type Html, html } from '../html.js'
import { type Account, fingerprint, scopesOf } from './daylight.js'

export interface Picture {
  id: string
  title: string
  image: string
}

function layout(title: string, main: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · The Print Shop</title>
  <link rel="icon" href="/icon.svg">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <header><a href="/"><img src="/icon.svg" alt="" width="30" height="30">The Print Shop</a></header>
  <main>${main}</main>
</body>
</html>`.toString()
}

const connectButton = html`<a class="button" href="/connect">Connect Daylight Photos</a>`

const notices = {
  denied: html`
    <p class="notice" role="status"><strong>You said no, and that is fine.</strong>
      We have seen nothing of yours. Should you change your mind, connect below.</p>`,
  withdrawn: html`
    <p class="notice" role="status"><strong>You have withdrawn our access.</strong>
      We cannot see your photos any more. To print again, connect again.</p>`,
}

export function welcomePage(notice?: keyof typeof notices): string {
  return layout(
    'Welcome',
    html`
    ${notice && notices[notice]}
    <section class="welcome">
      <h1>Your best photos deserve paper.</h1>
      <p>Museum paper, pigment ink, 30 × 20 cm. Bring them over from where they already are.</p>
      ${connectButton}
      <small>You choose at Daylight Photos what we may see. Your password stays there.</small>
      <img class="sheets" src="/sheets.svg" alt="" width="720" height="330">
    </section>`,
  )
}

interface PrintsPage {
  owner: string
  photos: Picture[]
  /** Photo id -> album, where the customer lets us see that. */
  albums: Record<string, string> | undefined
  account: Account
  photoAppUrl: string
}

export function printsPage({ owner, photos, albums, account, photoAppUrl }: PrintsPage): string {
  const token = html`<code>${fingerprint(account)}</code>`
  const refreshed = html`Refreshed: access token <code>${account.replaced}</code> gave way to ${token}.`
  const byAlbum = (album: string) => html`
    <h2>${album}</h2>
    ${prints(photos.filter(({ id }) => albums?.[id] === album))}`
  const onePile = html`
    <p>You keep your albums to yourself, so this is one pile. <a href="/connect">Share the albums</a></p>
    ${prints(photos)}`
  return layout(
    'Your prints',
    html`
    <section class="connection" aria-label="Connection">
      <div>
        <p><strong>Connected to Daylight Photos.</strong> We may see: ${scopesOf(account).join(' and ')}.</p>
        <p role="status">${account.replaced ? refreshed : html`Access token ${token}, not refreshed yet.`}</p>
      </div>
      <form method="post" action="/refresh"><button>Refresh token</button></form>
      <a href="${photoAppUrl}/oauth/authorized-applications">Withdraw access</a>
    </section>
    <h1>${owner}’s photos, ready to print</h1>
    ${albums ? [...new Set(Object.values(albums))].map(byAlbum) : onePile}`,
  )
}

function prints(photos: Picture[]): Html {
  const print = ({ title, image }: Picture) => html`
    <figure>
      <img src="${image}" alt="${title}" width="600" height="400">
      <figcaption>${title} <span>€ 14</span></figcaption>
    </figure>`
  return html`<div class="prints">${photos.map(print)}</div>`
}

export function staleAnswerPage(connected: boolean): string {
  return layout(
    'Start again',
    html`
    <section class="welcome">
      <h1>This link has done its work.</h1>
      <p>It was used before, or was opened in another browser than the one in which you began.</p>
      ${connected ? html`<a class="button" href="/">See your prints</a>` : connectButton}
    </section>`,
  )
}

export function errorPage(message: string): string {
  return layout(
    'Sorry',
    html`<section class="welcome"><h1>That did not work.</h1><p>${message}</p>${connectButton}</section>`,
  )
}
