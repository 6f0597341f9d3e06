package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxOrders bounds what the API remembers; the oldest go.
const maxOrders = 200

// item is something to order.
type item struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

var catalogue = []item{
	{"hanger", "Cedar hanger", 1250},
	{"brush", "Horsehair coat brush", 3400},
	{"hatbox", "Round hat box", 4900},
	{"umbrella", "Umbrella stand", 8900},
}

// order is one order.
type order struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"` // the item's
	Quantity int       `json:"quantity"`
	Cents    int       `json:"cents"` // in all
	Owner    string    `json:"owner"`
	Placed   time.Time `json:"placed"`
	subject  string
}

// orders is the API's data.
type orders struct {
	mu   sync.Mutex
	all  []order // oldest first
	last int
}

// newOrders starts with something to see.
func newOrders(now time.Time) *orders {
	o := &orders{last: 100}
	ada, alan := caller{Subject: "ada", Name: "Ada Lovelace"}, caller{Subject: "alan", Name: "Alan Turing"}
	o.add(ada, "umbrella", 1, now.Add(-3*time.Hour))
	o.add(alan, "hanger", 6, now.Add(-2*time.Hour))
	o.add(ada, "hatbox", 2, now.Add(-40*time.Minute))
	o.add(alan, "brush", 1, now.Add(-9*time.Minute))
	return o
}

// add places an order, if there is such an item and the quantity makes sense.
func (o *orders) add(c caller, itemID string, quantity int, now time.Time) (order, bool) {
	i := slices.IndexFunc(catalogue, func(i item) bool { return i.ID == itemID })
	if i < 0 || quantity < 1 || quantity > 99 {
		return order{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	placed := order{
		ID: fmt.Sprintf("No. %d", o.last), Name: catalogue[i].Name, Quantity: quantity, Cents: quantity * catalogue[i].Cents,
		Owner: c.Name, Placed: now, subject: c.Subject,
	}
	o.all = append(o.all, placed)
	if len(o.all) > maxOrders {
		o.all = slices.Delete(o.all, 0, 1)
	}
	return placed, true
}

// list returns the orders of a subject, or everybody's, newest first.
func (o *orders) list(subject string, all bool) []order {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := []order{} // an empty list is [] in JSON
	for _, placed := range slices.Backward(o.all) {
		if all || placed.subject == subject {
			found = append(found, placed)
		}
	}
	return found
}

func (o *orders) total() (count, cents int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, placed := range o.all {
		cents += placed.Cents
	}
	return len(o.all), cents
}
