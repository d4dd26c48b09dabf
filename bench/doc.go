// Command bench compares waybill with what one would take instead of it, and
// prints one table of ratios.
//
//	group of contestants ──▶ rounds ──▶ table
//	                           │
//	                           └─ each contestant once, in a shuffled order
//
// Nothing is compared across rounds: a contestant's ratio is computed against
// the reference of the same round, and the median of these is what counts. A
// machine that is busy for a while then slows both sides of a ratio.
//
// All traffic stays on loopback. Every process belongs to the run that started
// it and ends with it, by its process id.
package main
